// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/stages.hpp"

#include "exchange/port_load.hpp"
#include <caesura/solver/simulate.hpp>

#include <algorithm>
#include <array>

namespace caesura::solver::impl {

namespace {

constexpr std::int32_t most_stages = 8;
/// Less is a tie.
constexpr double least_gain = 1e-3;

std::vector<StageTimes> compute_times(const StepWork& work, const Options& options, const ComputeRates& rates) {
  std::vector<StageTimes> times(work.own.size());
  for (std::size_t rank = 0; rank < times.size(); ++rank) {
    times[rank].own = compute_seconds(work.own[rank], options.layer, rates, options.passes);
    times[rank].rest =
        compute_seconds(std::max(work.total[rank] - work.own[rank], 0.0), options.layer, rates, options.passes);
  }
  return times;
}

}  // namespace

std::int32_t choose_stages(std::span<const StageTimes> ranks, double step_seconds) {
  std::int32_t best = 1;
  double best_seconds = 0;
  for (std::int32_t count = 1; count <= most_stages; ++count) {
    double slowest = 0;
    for (const StageTimes& rank : ranks) {
      std::array<double, most_stages> transfer = {};
      std::array<double, most_stages + 1> compute = {rank.own};
      const auto stages = static_cast<std::size_t>(count);
      const double latency = rank.bytes > 0 ? rank.latency + (count - 1) * rank.more_latency : 0;
      const bool home_beside = count >= 3;
      std::fill_n(transfer.begin(), stages, (rank.bytes + latency + (home_beside ? rank.home : 0)) / count);
      std::fill_n(compute.begin() + 1, stages, rank.rest > 0 ? rank.rest / count + step_seconds : 0);
      const double seconds =
          overlapped_seconds(std::span(transfer).first(stages), std::span(compute).first(stages + 1));
      slowest = std::max(slowest, seconds + (home_beside ? 0 : rank.home));
    }
    if (count == 1 || slowest < best_seconds * (1 - least_gain)) {
      best = count;
      best_seconds = slowest;
    }
  }
  return best;
}

std::int32_t stages_for(const Draft& draft, const StepWork& work, const Cluster& cluster, const Options& options) {
  if (options.stages > 0) return options.stages;
  std::vector<StageTimes> times = compute_times(work, options, cluster.compute);
  const Nodes nodes(cluster);
  const double repeats = byte_repeats(options.layer, options.passes);
  for (const Hop* hop : {&draft.first, &draft.second, &draft.outputs}) {
    if (hop->empty()) continue;
    std::vector<PortLoad> loads(times.size());
    add_traffic(*hop, nodes, options.layer, loads);
    for (std::size_t rank = 0; rank < times.size(); ++rank) {
      if (hop == &draft.outputs) {
        times[rank].home = loads[rank].byte_seconds(cluster) * repeats + loads[rank].latency_seconds(cluster);
        continue;
      }
      times[rank].bytes += loads[rank].byte_seconds(cluster) * repeats;
      times[rank].latency += loads[rank].latency_seconds(cluster);
      // Of the transfers that a rank receives, each further stage cuts one in two.
      if (hop == &draft.first) times[rank].more_latency = cluster.across_nodes.latency_seconds;
    }
  }
  return choose_stages(times, cluster.compute.step_seconds);
}

std::int32_t stages_for_all_gather(const Demand& demand, const StepWork& work, const Cluster& cluster,
                                   const Options& options) {
  if (options.stages > 0) return options.stages;
  std::vector<StageTimes> times = compute_times(work, options, cluster.compute);
  std::vector<std::int64_t> own(times.size());
  std::vector<std::int64_t> of_node(static_cast<std::size_t>(cluster.nodes()));
  std::int64_t total = 0;
  for (std::int32_t rank = 0; rank < cluster.ranks; ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    for (const Range range : demand.own_keys[at]) own[at] += range.size();
    of_node[static_cast<std::size_t>(cluster.node_of(rank))] += own[at];
    total += own[at];
  }
  const std::int64_t bytes = options.layer.key_row_bytes();
  const std::int64_t near = cluster.ranks_per_node - 1;
  const std::int64_t far = cluster.ranks - cluster.ranks_per_node;
  const double repeats = byte_repeats(options.layer, options.passes);
  for (std::int32_t rank = 0; rank < cluster.ranks; ++rank) {
    const auto at = static_cast<std::size_t>(rank);
    const std::int64_t here = of_node[static_cast<std::size_t>(cluster.node_of(rank))];
    const PortLoad load = {.in_bytes = {(here - own[at]) * bytes, (total - here) * bytes},
                           .out_bytes = {own[at] * near * bytes, own[at] * far * bytes},
                           .in_messages = {near, far},
                           .out_messages = {near, far}};
    times[at].bytes = load.byte_seconds(cluster) * repeats;
    times[at].latency = times[at].more_latency = load.latency_seconds(cluster);
  }
  return choose_stages(times, cluster.compute.step_seconds);
}

}  // namespace caesura::solver::impl
