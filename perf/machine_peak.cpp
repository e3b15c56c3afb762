// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/machine_peak.hpp"

#include "perf/rates.hpp"

#include <Kokkos_Core.hpp>
#include <Kokkos_SIMD.hpp>

#include <algorithm>
#include <cstddef>
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

template <class Vector>
KOKKOS_FUNCTION auto sum_of_lanes(const Vector& vector) {
  if constexpr (std::is_arithmetic_v<Vector>) {
    return vector;
  } else {
    typename Vector::value_type sum = 0;
    for (int lane = 0; lane < lanes_of<Vector>(); ++lane) sum += vector[static_cast<std::size_t>(lane)];
    return sum;
  }
}

/// `rounds` dependent multiply-adds in each of the chains. \p start is 0, which the compiler must not know.
template <class Vector, class Real>
KOKKOS_FUNCTION Real run_chains(std::int64_t rounds, Real start) {
  // x -> x * factor + term converges to 1: no overflow, no subnormal numbers.
  const Vector factor(Real(0.5) + start);
  const Vector term(Real(0.5) - start);
  Vector values[chains];
  for (int i = 0; i < chains; ++i) values[i] = Vector(Real(i) / chains);
  for (std::int64_t round = 0; round < rounds; ++round) {
#ifndef __CUDACC__
#pragma GCC unroll 12
#endif
    for (int i = 0; i < chains; ++i) values[i] = Kokkos::fma(values[i], factor, term);
  }
  // Only this one vector is taken apart: access to lanes would keep all of the chains in memory.
  Vector sum = values[0];
  for (int i = 1; i < chains; ++i) sum = sum + values[i];
  return sum_of_lanes(sum);
}

template <class Real>
double rate_of_this_thread(double seconds) {
  using Vector = HostVector<Real>;
  constexpr std::int64_t rounds = 20'000;  // about 0.1 ms
  volatile Real zero = 0;
  [[maybe_unused]] volatile Real result = 0;  // keeps the runs alive
  return rate_over(seconds, 2e-9 * rounds * chains * lanes_of<Vector>(),
                   [&] { result = run_chains<Vector, Real>(rounds, zero); });
}

/// On a device: all work items at once.
template <class Real, class Device>
struct DeviceChains {
  std::int64_t rounds;
  Kokkos::View<Real*, Device> sink;

  KOKKOS_FUNCTION void operator()(int) const {
    const Real sum = run_chains<Real, Real>(rounds, Real(0));
    if (sum < Real(0)) sink(0) = sum;  // never; keeps the loop alive
  }
};

template <class Real, class Device>
double rate_of_device(double least) {
  const Device device;
  const int items = device.concurrency();
  DeviceChains<Real, Device> work{1 << 10, Kokkos::View<Real*, Device>("caesura::peak", 1)};
  const auto seconds = [&] {
    const Kokkos::Timer timer;
    Kokkos::parallel_for("caesura::peak", Kokkos::RangePolicy<Device>(device, 0, items), work);
    device.fence("caesura::peak");
    return std::max(timer.seconds(), 1e-9);
  };
  while (std::min(seconds(), seconds()) < 1.5e-3) work.rounds *= 2;
  const double of_run = 2e-9 * static_cast<double>(work.rounds) * chains * items;
  if (least > 0) return mean_rate(of_run, least, seconds);
  double best = 0;
  for (int i = 0; i < 10; ++i) best = std::max(best, of_run / seconds());
  return best;
}

template <class Real>
double measure(int threads, double seconds) {
  using Host = Kokkos::DefaultHostExecutionSpace;
  using Device = Kokkos::DefaultExecutionSpace;
  if constexpr (!std::is_same_v<Host, Device>) {
    if (threads == 0) return rate_of_device<Real, Device>(seconds);
  }
  return sum_over_threads(threads, [seconds] { return rate_of_this_thread<Real>(seconds); });
}

}  // namespace

double measure_peak_gflops(ScalarType type, int threads, double seconds) {
  return type == ScalarType::float64 ? measure<double>(threads, seconds) : measure<float>(threads, seconds);
}

}  // namespace caesura::perf
