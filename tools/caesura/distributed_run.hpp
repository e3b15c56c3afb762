// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "measurement.hpp"
#include <caesura/distributed/distributed_attention.hpp>
#include <caesura/solver/plan.hpp>
#include <caesura/solver/simulate.hpp>

#include <string>
#include <vector>

namespace caesura::tools {

/// What each rank computes on.
std::string rank_space_text();

/// What one rank did in the last forward and backward.
struct RankCall {
  std::int64_t bytes_sent = 0;
  std::int64_t bytes_received = 0;
  double waited_seconds = 0;
};
struct RankMeasurement {
  RankCall forward, backward;
  std::int64_t memory_bytes = 0;
};

/// A plan, executed with random inputs.
struct DistributedMeasurement {
  Measurement whole;  ///< times of the slowest rank, errors of the collected results
  std::vector<RankMeasurement> ranks;
  solver::Timeline timeline;  ///< of one more forward, measured
};

/// Runs \p plan on the program's ranks. Inputs are those of `measure` for the whole problem: rank 0 makes them and
/// distributes them; it collects and verifies the results. What is returned is complete on rank 0 only.
DistributedMeasurement measure_distributed(const solver::Plan& plan, const ShapeArguments& shape,
                                           const ScoreArguments& score, const MeasureArguments& arguments,
                                           Results results, Verify verification, Progress& progress);

}  // namespace caesura::tools
