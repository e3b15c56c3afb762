// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/machine_peak.hpp"

#include <Kokkos_Core.hpp>
#include <Kokkos_SIMD.hpp>
#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace caesura::perf {
namespace {

// The default vector of Kokkos simd is not the widest one for float.
template <class Real>
constexpr int widest_lanes =
#if defined(KOKKOS_ARCH_AVX512XEON)
    64 / sizeof(Real);
#elif defined(KOKKOS_ARCH_AVX2)
    32 / sizeof(Real);
#elif defined(KOKKOS_ARCH_ARM_NEON) && !defined(KOKKOS_ARCH_ARM_SVE)
    16 / sizeof(Real);
#else
    0;  // what Kokkos takes by itself
#endif

#ifdef KOKKOS_ENABLE_CUDA
// Device compilers see no host vectors; nothing is measured with these there.
template <class Real>
using HostVector = Real;
#else
template <class Real>
using HostVector = Kokkos::Experimental::simd<Real, widest_lanes<Real>>;
#endif

template <class Vector>
constexpr int lanes_of() {
  if constexpr (std::is_arithmetic_v<Vector>) {
    return 1;
  } else {
    return static_cast<int>(Vector::size());
  }
}

// Independent chains: enough to hide the latency of two fused units (4 cycles each) with registers to spare.
constexpr int chains = 12;

/// `rounds` dependent multiply-adds in each of the chains. Every work item computes the same.
template <class Real, class Vector>
struct FmaChains {
  std::int64_t rounds;
  Kokkos::View<Real*, Kokkos::LayoutRight> sink;

  KOKKOS_FUNCTION Real sum_of_lanes(const Vector& vector) const {
    if constexpr (std::is_arithmetic_v<Vector>) {
      return vector;
    } else {
      Real sum = 0;
      for (int lane = 0; lane < lanes_of<Vector>(); ++lane) sum += vector[static_cast<std::size_t>(lane)];
      return sum;
    }
  }

  KOKKOS_FUNCTION Real run(Real start) const {
    // x -> x * factor + term converges to 1: no overflow, no subnormal numbers.
    const Vector factor(Real(0.5) + start);
    const Vector term(Real(0.5) - start);
    Vector values[chains];
    for (int i = 0; i < chains; ++i) values[i] = Vector(Real(i) / chains);
    for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
      for (int i = 0; i < chains; ++i) values[i] = Kokkos::fma(values[i], factor, term);
    }
    // Only this one vector is taken apart: access to lanes would keep all of the chains in memory.
    Vector sum = values[0];
    for (int i = 1; i < chains; ++i) sum = sum + values[i];
    return sum_of_lanes(sum);
  }

  KOKKOS_FUNCTION void operator()(int item) const {
    const Real sum = run(Real(0));
    if (sum < Real(0)) sink(item) = sum;  // never; keeps the loop alive
  }

  double gflop(std::int64_t items) const {
    return 2e-9 * static_cast<double>(rounds) * chains * lanes_of<Vector>() * static_cast<double>(items);
  }
};

template <class Real, class Vector, class Launch>
double best_rate(std::int64_t items, const Launch& launch) {
  FmaChains<Real, Vector> work{.rounds = 1 << 10, .sink = Kokkos::View<Real*, Kokkos::LayoutRight>("caesura::peak", 1)};
  const auto seconds = [&] {
    const Kokkos::Timer timer;
    launch(work);
    return std::max(timer.seconds(), 1e-9);
  };
  // About 3 ms a run: long against a launch, short against a time slice lost to others (the best of three decides,
  // lest such a slice passes for a long run).
  while (std::min({seconds(), seconds(), seconds()}) < 1.5e-3) work.rounds *= 2;
  double best = 0;
  for (int i = 0; i < 15; ++i) best = std::max(best, work.gflop(items) / seconds());
  return best;
}

template <class Real>
double measure(int threads) {
  using Host = Kokkos::DefaultHostExecutionSpace;
  using Device = Kokkos::DefaultExecutionSpace;
  if (threads == 0 && !std::is_same_v<Host, Device>) {
    const int items = Device().concurrency();
    return best_rate<Real, Real>(items, [&](const FmaChains<Real, Real>& work) {
      Kokkos::parallel_for("caesura::peak", Kokkos::RangePolicy<Device>(0, items), work);
      Device().fence("caesura::peak");
    });
  }
  using Vector = HostVector<Real>;
  const int concurrency = Host().concurrency();
  const int items = threads == 0 ? concurrency : std::min(threads, concurrency);
  if (items == 1) {
    volatile Real zero = 0;
    volatile Real result = 0;
    return best_rate<Real, Vector>(1, [&](const FmaChains<Real, Vector>& work) { result = work.run(zero); });
  }
  return best_rate<Real, Vector>(items, [&](const FmaChains<Real, Vector>& work) {
    Kokkos::parallel_for("caesura::peak",
                         Kokkos::RangePolicy<Host, Kokkos::Schedule<Kokkos::Static>>(0, items, Kokkos::ChunkSize(1)), work);
    Host().fence("caesura::peak");
  });
}

}  // namespace

double measure_peak_gflops(ScalarType type, int threads) {
  return type == ScalarType::float64 ? measure<double>(threads) : measure<float>(threads);
}

}  // namespace caesura::perf
