// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/options.hpp>
#include <caesura/solver/placement.hpp>

#include <cstdint>
#include <span>

namespace caesura::solver {

/// A mask that some of a model's layers have; all masks of a list have the same totals.
struct WeightedMask {
  Mask mask;
  double weight = 1;  ///< layers that have it
};

/// Deals the rows of \p mask to the ranks of \p cluster by `options.dispatch`.
///
/// Self attention if the mask has as many keys as queries, then keys live with their queries. Otherwise query rows are dealt, and
/// keys in equal shares, each to a rank that needs it as long as one of those has room.
/// \throws Error for an invalid cluster or option, a mask without visible pair, a case too large for `exact`.
Placement dispatch(const Mask& mask, const Cluster& cluster, const Options& options = {});

/// One placement for a model whose layers have different masks: the weighted sum of their predicted steps is what counts.
Placement dispatch(std::span<const WeightedMask> masks, const Cluster& cluster, const Options& options = {});

/// The most tokens a rank may own: ceil(total / ranks), or what `token_slack` allows.
std::int64_t token_cap(std::int64_t total, std::int32_t ranks, double token_slack);

/// What a placement costs before stages and overlap, if every rank receives each remote key it needs once.
struct PlacementCost {
  std::vector<std::int64_t> tokens;
  std::vector<double> work;  ///< pairs, see `work()`
  std::vector<std::int64_t> receive_rows;
  std::vector<std::int64_t> send_rows;
  double max_over_mean_work = 1;
  double step_seconds = 0;  ///< the slowest rank's max(compute, received rows, sent rows), all rows over `across_nodes`
};
PlacementCost cost_of(const Mask& mask, const Placement& placement, const Cluster& cluster, const Options& options);

/// What no dispatch of \p mask with equal tokens can go below.
struct LowerBounds {
  double work = 0;               ///< pairs of the busiest rank
  double mean_receive_rows = 0;  ///< a rank, where no rank's pairs exceed the tolerance
  double step_seconds = 0;
};
LowerBounds lower_bounds(const Mask& mask, const Cluster& cluster, const Options& options);

}  // namespace caesura::solver
