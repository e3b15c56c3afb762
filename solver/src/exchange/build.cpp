// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/build.hpp"

#include "exchange/draft.hpp"
#include "exchange/stages.hpp"
#include <caesura/error.hpp>

#include <utility>

namespace caesura::solver::impl {

void require_same_totals(const char* function, const Mask& mask, const Placement& placement) {
  require(placement.total_q() == mask.total_q() && placement.total_k() == mask.total_k(), [&] {
    return text(function, ": placement of ", placement.total_q(), " queries and ", placement.total_k(),
                " keys: must have the mask's totals, ", mask.total_q(), " and ", mask.total_k());
  });
}

void require_fitting(const char* function, const Mask& mask, const Placement& placement, const Cluster& cluster,
                     const Options& options) {
  cluster.validate(function);
  options.validate(function);
  require(placement.ranks() == cluster.ranks, [&] {
    return text(function, ": ranks of the placement = ", placement.ranks(), ": must be those of the cluster, ",
                cluster.ranks);
  });
  require_same_totals(function, mask, placement);
}

Exchange build_exchange(const Demand& demand, std::span<const double> work, const Placement& placement,
                        const Cluster& cluster, const Options& options) {
  StepWork steps;
  steps.total.assign(work.begin(), work.end());
  for (std::size_t rank = 0; rank < work.size(); ++rank) {
    const auto own = static_cast<double>(area_on(demand.slices[rank], demand.own_keys[rank]));
    steps.own.push_back(own == 0 ? 0 : work[rank] * own / static_cast<double>(demand.area[rank]));
  }
  if (options.exchange == ExchangeKind::ring) return ring(demand);
  if (options.exchange == ExchangeKind::all_gather)
    return all_gather(demand, stages_for_all_gather(demand, steps, cluster, options));

  Draft draft = zero_redundancy(demand, placement);
  if (options.exchange == ExchangeKind::hierarchical) draft = hierarchical(std::move(draft), cluster);
  if (options.exchange == ExchangeKind::qo) draft = moving_queries(std::move(draft), demand, cluster, options, steps);
  const std::int32_t stages = stages_for(draft, steps, cluster, options);
  return cut_into_stages(options.exchange, std::move(draft), stages, cluster, options.layer);
}

}  // namespace caesura::solver::impl
