// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace caesura::perf {

/// The calling thread's mean rate over at least \p seconds, of runs of \p work each.
template <class Run>
double mean_rate(double work, double seconds, const Run& run) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  for (std::int64_t runs = 1;; ++runs) {
    run();
    const double spent = std::chrono::duration<double>(Clock::now() - begin).count();
    if (spent >= seconds && spent > 0) return static_cast<double>(runs) * work / spent;
  }
}

/// The calling thread's rate over 25 ms without what other programs take. A run should be far shorter than a time slice:
/// most of them are then undisturbed even where other programs compete for the cores, and the upper quartile is one of
/// those, and no lucky outlier.
template <class Run>
double undisturbed_rate(double work, const Run& run) {
  using Clock = std::chrono::steady_clock;
  constexpr auto duration = std::chrono::milliseconds(25);
  std::vector<double> rates;
  const auto end = Clock::now() + duration;
  for (auto begin = Clock::now(); begin < end || rates.size() < 20;) {
    run();
    const auto now = Clock::now();
    rates.push_back(work / std::max(std::chrono::duration<double>(now - begin).count(), 1e-9));
    begin = now;
  }
  const auto quartile = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() * 3 / 4);
  std::nth_element(rates.begin(), quartile, rates.end());
  return *quartile;
}

/// The mean over \p seconds; 0: undisturbed.
template <class Run>
double rate_over(double seconds, double work, const Run& run) {
  return seconds > 0 ? mean_rate(work, seconds, run) : undisturbed_rate(work, run);
}

/// The sum of what \p rate returns on each of \p threads threads of the default host space at the same time; 1 is the
/// calling thread alone, 0 and more than there are mean all of them.
template <class Rate>
double sum_over_threads(int threads, const Rate& rate) {
  using Host = Kokkos::DefaultHostExecutionSpace;
  const int concurrency = Host().concurrency();
  const int items = threads == 0 ? concurrency : std::min(threads, concurrency);
  if (items == 1) return rate();
  double sum = 0;
  Kokkos::parallel_reduce(
      "caesura::peak", Kokkos::RangePolicy<Host, Kokkos::Schedule<Kokkos::Static>>(0, items, Kokkos::ChunkSize(1)),
      [&](int, double& rates) { rates += rate(); }, sum);
  return sum;
}

}  // namespace caesura::perf
