// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "progress.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace caesura::tools {

struct Timing {
  double median = 0;
  double minimum = 0;
};

/// Median and minimum of at least one time.
inline Timing timing_of(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const std::size_t middle = seconds.size() / 2;
  const double median = seconds.size() % 2 == 1 ? seconds[middle] : (seconds[middle - 1] + seconds[middle]) / 2;
  return {.median = median, .minimum = seconds.front()};
}

/// Times \p work with a fence inside, after one run that does not count.
template <class Space, class Work>
Timing time_work(const Space& space, std::int64_t repeat, const std::string& what, Progress& progress,
                 const Work& work) {
  progress.show(what + ", warm-up");
  work();
  space.fence("caesura::tools::warm_up");
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < repeat; ++i) {
    progress.show(what, i + 1, repeat);
    const Kokkos::Timer timer;
    work();
    space.fence("caesura::tools::timed");
    seconds.push_back(timer.seconds());
  }
  progress.clear();
  return timing_of(std::move(seconds));
}

}  // namespace caesura::tools
