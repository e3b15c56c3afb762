// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "options.hpp"
#include "progress.hpp"
#include <caesura/solver/cluster.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace caesura::tools {

/// One measured pack: causal documents of one length, forward and backward.
struct CalibrationPoint {
  std::int64_t documents = 0;
  std::int64_t length = 0;
  double forward_seconds = 0;
  double backward_seconds = 0;
  double explained_seconds = 0;  ///< the forward, by the rates that were found
};

struct Calibration {
  solver::Cluster cluster;  ///< one rank: this machine
  std::vector<CalibrationPoint> points;
};

/// Measures this machine with real forwards and backwards on the default execution space: the tiles, the rate and the
/// fixed costs of rows and tiles that explain the times of documents from 16 to 4,096 tokens best; copies give the links.
Calibration calibrate(const ShapeArguments& shape, Progress& progress);

/// For people: what was found, and how well it explains what was measured.
std::string calibration_table(const Calibration& calibration);

}  // namespace caesura::tools
