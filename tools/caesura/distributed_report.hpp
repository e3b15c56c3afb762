// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "distributed_run.hpp"
#include "plan_report.hpp"
#include "report.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace caesura::tools {

/// The plan, then what its execution took: times, bytes on the wire beside those of all-gather and ring, and how much of
/// the transfers was hidden, measured and predicted.
std::string distributed_table(const MaskInput& input, const PlanFacts& facts, const DistributedMeasurement& measured,
                              const MeasureArguments& arguments, double peak);

/// `plan_json` and `run_json` in one; each of `ranks` has `measured`.
nlohmann::ordered_json distributed_json(const MaskInput& input, const PlanFacts& facts,
                                        const DistributedMeasurement& measured, const MeasureArguments& arguments,
                                        const ScoreArguments& score, double peak);

}  // namespace caesura::tools
