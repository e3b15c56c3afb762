// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/dispatch.hpp>

#include <algorithm>
#include <numeric>

namespace caesura::solver {

PlacementCost cost_of(const Mask& mask, const Placement& placement, const Cluster& cluster, const Options& options) {
  cluster.validate("cost_of");
  options.validate("cost_of");
  require(placement.ranks() == cluster.ranks, [&] {
    return text("cost_of: placement of ", placement.ranks(), " ranks: must have the cluster's ", cluster.ranks);
  });
  require(placement.total_q() == mask.total_q() && placement.total_k() == mask.total_k(), [&] {
    return text("cost_of: placement of ", placement.total_q(), " x ", placement.total_k(),
                " tokens: must have the mask's totals, ", mask.total_q(), " x ", mask.total_k());
  });
  const std::size_t ranks = static_cast<std::size_t>(placement.ranks());
  PlacementCost cost;
  cost.tokens.assign(ranks, 0);
  cost.work.assign(ranks, 0);
  cost.receive_rows.assign(ranks, 0);
  cost.send_rows.assign(ranks, 0);
  for (const OwnedRange& owned : placement.queries())
    cost.tokens[static_cast<std::size_t>(owned.rank)] += owned.rows.size();

  const std::vector<std::vector<BandSlice>> slices = slices_by_rank(mask, placement);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    cost.work[rank] = work(slices[rank], cluster.compute);
    for (const Range keys : keys_seen(slices[rank])) {
      auto owner = std::partition_point(placement.keys().begin(), placement.keys().end(),
                                        [&](const OwnedRange& owned) { return owned.rows.end <= keys.begin; });
      for (; owner != placement.keys().end() && owner->rows.begin < keys.end; ++owner) {
        if (static_cast<std::size_t>(owner->rank) == rank) continue;
        const std::int64_t rows = intersect(owner->rows, keys).size();
        cost.receive_rows[rank] += rows;
        cost.send_rows[static_cast<std::size_t>(owner->rank)] += rows;
      }
    }
  }
  const double mean = std::accumulate(cost.work.begin(), cost.work.end(), 0.0) / static_cast<double>(ranks);
  const double most = *std::max_element(cost.work.begin(), cost.work.end());
  if (mean > 0) cost.max_over_mean_work = most / mean;
  cost.step_seconds = compute_seconds(most, options.layer, cluster.compute, options.passes);
  const Link& link = cluster.nodes() > 1 ? cluster.across_nodes : cluster.within_node;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::int64_t rows = std::max(cost.receive_rows[rank], cost.send_rows[rank]);
    cost.step_seconds = std::max(cost.step_seconds, transfer_seconds(rows, options.layer, link, options.passes));
  }
  return cost;
}

}  // namespace caesura::solver
