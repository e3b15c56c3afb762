// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategies.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <cmath>

namespace caesura::solver {

namespace {

std::int64_t chunk_rows(const impl::Problem& problem, const Options& options) {
  return options.chunk > 0 ? options.chunk : impl::default_chunk(problem);
}

std::vector<OwnedRange> deal(const impl::Problem& problem, const Options& options) {
  switch (options.dispatch) {
    case Dispatch::contiguous: return impl::deal_contiguous(problem);
    case Dispatch::head_tail: return impl::deal_head_tail(problem);
    case Dispatch::lpt: return impl::deal_lpt(problem, chunk_rows(problem, options));
    case Dispatch::topp: return impl::deal_topp(problem, chunk_rows(problem, options), options.top_p);
    case Dispatch::balanced: return impl::deal_balanced(problem);
    case Dispatch::exact: return impl::deal_exact(problem, options.chunk);
  }
  return {};
}

}  // namespace

std::int64_t token_cap(std::int64_t total, std::int32_t ranks, double token_slack) {
  const double share = static_cast<double>(total) / ranks;
  return std::max((total + ranks - 1) / ranks, static_cast<std::int64_t>(std::ceil(share * (1 + token_slack) - 1e-9)));
}

namespace {

Placement dispatch_as_one(std::span<const WeightedMask> masks, const Cluster& cluster, const Options& options) {
  const impl::Problem problem(masks, cluster, options);
  std::vector<OwnedRange> queries = deal(problem, options);
  // The baselines keep the numbers that their authors give the ranks.
  if (options.dispatch == Dispatch::balanced && cluster.ranks_per_node > 1 && cluster.nodes() > 1)
    impl::group_into_nodes(problem, cluster.ranks_per_node, queries);
  if (problem.together()) return Placement::together(cluster.ranks, problem.total(), std::move(queries));
  std::vector<OwnedRange> keys = impl::deal_keys(masks, cluster.ranks, queries);
  return Placement::apart(cluster.ranks, problem.total(), std::move(queries), masks[0].mask.total_k(), std::move(keys));
}

}  // namespace

Placement dispatch(std::span<const WeightedMask> masks, const Cluster& cluster, const Options& options) {
  cluster.validate("dispatch");
  options.validate("dispatch");
  Placement best = dispatch_as_one(masks, cluster, options);
  if (masks.size() == 1 || options.dispatch != Dispatch::balanced) return best;
  // Work of all layers together may be even where that of each is not: what one mask alone asks for may serve the others better.
  const auto seconds = [&](const Placement& placement) {
    double sum = 0;
    for (const WeightedMask& weighted : masks)
      sum += weighted.weight * cost_of(weighted.mask, placement, cluster, options).step_seconds;
    return sum;
  };
  double least = seconds(best);
  for (const WeightedMask& weighted : masks) {
    if (weighted.weight == 0 || weighted.mask.slices().empty()) continue;
    const WeightedMask alone = {weighted.mask, 1};
    Placement other = dispatch_as_one(std::span(&alone, 1), cluster, options);
    const double sum = seconds(other);
    if (sum < least) least = sum, best = std::move(other);
  }
  return best;
}

Placement dispatch(const Mask& mask, const Cluster& cluster, const Options& options) {
  const WeightedMask weighted = {mask, 1};
  return dispatch(std::span(&weighted, 1), cluster, options);
}

}  // namespace caesura::solver
