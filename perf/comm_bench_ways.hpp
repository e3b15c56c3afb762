// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace caesura::perf {

/// One of the ways to do the same thing that are compared.
struct Way {
  std::string name;
  std::function<void()> run;
};

/// What ranks do together around the timed calls, on every rank the same.
struct Together {
  std::function<void()> meet;                                 ///< returns when all ranks are there
  std::function<void(std::vector<double>& values)> maximize;  ///< each value becomes the largest of all ranks
};

inline double seconds_of(const std::function<void()>& call, int times) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < times; ++i) call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Median seconds of one call of each way. All ranks meet before each measurement and take as long as the slowest of
/// them; the ways take turns in changing order, so that a drift of the machine's speed meets all alike.
inline std::vector<double> medians(const std::vector<Way>& ways, const Together& together) {
  constexpr double batch_seconds = 3e-4, way_seconds = 1.0;
  constexpr int fewest = 15, most = 1001;

  for (const Way& way : ways) seconds_of(way.run, 3);  // first uses allocate and connect
  together.meet();
  std::vector<double> once = {seconds_of(ways.front().run, 3) / 3};
  together.maximize(once);
  const int batch = std::clamp(static_cast<int>(std::lround(batch_seconds / once[0])), 1, 200);
  const int repetitions = std::clamp(static_cast<int>(way_seconds / (batch * once[0])), fewest, most);

  const auto count = static_cast<int>(ways.size());
  std::vector<std::vector<double>> times(ways.size());
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (int turn = 0; turn < count; ++turn) {
      const int forward = (turn + repetition / 2) % count;
      const auto way = static_cast<std::size_t>(repetition % 2 ? count - 1 - forward : forward);
      together.meet();
      times[way].push_back(seconds_of(ways[way].run, batch) / batch);
    }
  }
  std::vector<double> result;
  for (std::vector<double>& each : times) {
    together.maximize(each);
    const auto middle = each.begin() + repetitions / 2;
    std::nth_element(each.begin(), middle, each.end());
    result.push_back(*middle);
  }
  return result;
}

/// Reports the ways against the first: `NAME_of_REFERENCE` is their speed in units of its speed, 1 = as fast.
inline void report(benchmark::State& state, const std::vector<Way>& ways, const std::vector<double>& seconds,
                   double bytes) {
  for (std::size_t i = 0; i < ways.size(); ++i) {
    state.counters[ways[i].name + "_us"] = seconds[i] * 1e6;
    if (i > 0) state.counters[ways[i].name + "_of_" + ways.front().name] = seconds.front() / seconds[i];
  }
  state.counters[ways.front().name + "_GB/s"] = bytes / seconds.front() * 1e-9;
}

/// Registers the cases; defined beside them.
void register_mpi_cases();
void register_in_process_cases();

}  // namespace caesura::perf
