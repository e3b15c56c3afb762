// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategies.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <cmath>

namespace caesura::solver {

namespace {

std::int64_t chunk_rows(const impl::Problem& problem, const Options& options) {
  if (options.chunk > 0) return options.chunk;
  return std::clamp<std::int64_t>(problem.total() / (8 * std::int64_t{problem.ranks()}), 1, 512);
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

Placement dispatch(std::span<const WeightedMask> masks, const Cluster& cluster, const Options& options) {
  cluster.validate("dispatch");
  options.validate("dispatch");
  const impl::Problem problem(masks, cluster, options);
  std::vector<OwnedRange> queries = deal(problem, options);
  // The baselines keep the numbers that their authors give the ranks.
  if (options.dispatch == Dispatch::balanced && cluster.ranks_per_node > 1 && cluster.nodes() > 1)
    impl::group_into_nodes(problem, cluster.ranks_per_node, queries);
  if (problem.together()) return Placement::together(cluster.ranks, problem.total(), std::move(queries));
  std::vector<OwnedRange> keys = impl::deal_keys(masks, cluster.ranks, queries);
  return Placement::apart(cluster.ranks, problem.total(), std::move(queries), masks[0].mask.total_k(), std::move(keys));
}

Placement dispatch(const Mask& mask, const Cluster& cluster, const Options& options) {
  const WeightedMask weighted = {mask, 1};
  return dispatch(std::span(&weighted, 1), cluster, options);
}

}  // namespace caesura::solver
