// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "exchange/draft.hpp"
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/options.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// One rank's times, in seconds, as far as the number of stages depends on them.
struct StageTimes {
  double own = 0;           ///< compute on what it has from the beginning
  double rest = 0;          ///< compute on what comes
  double bytes = 0;         ///< transfers, without their latencies
  double latency = 0;       ///< of the messages of one stage, if there is one stage
  double more_latency = 0;  ///< of the messages that each further stage adds to all stages together
  double home = 0;          ///< transfers of partial outputs: beside later steps from three stages on, else behind all
};

/// The number from 1 to 8 with the least time of the slowest rank, where each stage brings an equal part of a rank's bytes and
/// compute, and each one costs `step_seconds`. The fewest of equally good ones.
std::int32_t choose_stages(std::span<const StageTimes> ranks, double step_seconds);

/// `options.stages`, or what the cost model chooses for \p draft.
std::int32_t stages_for(const Draft& draft, const StepWork& work, const Cluster& cluster, const Options& options);
/// The same for `all_gather`.
std::int32_t stages_for_all_gather(const Demand& demand, const StepWork& work, const Cluster& cluster,
                                   const Options& options);

/// \p draft in at most \p count stages, and what comes home behind them, if any. Each stage brings an equal part of a rank's bytes
/// from its own node and of those from others, queries first. A rank's sources come in cyclic order, from the next rank on: what
/// one sends is spread over the stages that way, and most transfers stay whole.
Exchange cut_into_stages(ExchangeKind kind, Draft draft, std::int32_t count, const Cluster& cluster,
                         const LayerShape& layer);

}  // namespace caesura::solver::impl
