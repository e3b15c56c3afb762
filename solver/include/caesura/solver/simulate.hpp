// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/solver/cluster.hpp>
#include <caesura/solver/plan.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver {

/// When one stage's rows or one step's compute occupied a rank; seconds from the start.
struct Activity {
  std::int32_t index = 0;  ///< the stage or the step
  double begin = 0;
  double end = 0;
};

struct RankTimeline {
  std::vector<Activity> transfers;  ///< a stage: from the first byte sent or received to the last
  std::vector<Activity> computes;   ///< a step
  double end = 0;                   ///< everything done, partial outputs at home
};

/// The predicted course of one forward pass.
struct Timeline {
  std::vector<RankTimeline> ranks;
  double seconds = 0;          ///< the slowest rank's end
  double compute_seconds = 0;  ///< its busiest rank alone
  double hidden_seconds = 0;   ///< transfer time that ran beside compute, mean of the ranks
};

/// Plays \p plan on \p cluster: transfers of stage i + 1 beside compute step i + 1, hops one behind the other, a rank's sends and receives
/// at the rates and latencies of the links they take, a transfer not before its source holds the rows. O(transfers).
/// \throws Error if the cluster has other ranks than the plan.
Timeline simulate(const Plan& plan, const Cluster& cluster);

/// The time of one rank with \p transfer[i] seconds before step i + 1 and \p compute[i] seconds for step i, all overlapped:
/// `max(transfer_0, compute_0) + max(transfer_1, compute_1) + ... + compute_last` (MagiAttention's cost of overlap).
double overlapped_seconds(std::span<const double> transfer, std::span<const double> compute);

}  // namespace caesura::solver
