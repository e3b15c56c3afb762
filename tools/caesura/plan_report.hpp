// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_input.hpp"
#include <caesura/solver/dispatch.hpp>
#include <caesura/solver/plan.hpp>
#include <caesura/solver/simulate.hpp>

#include <optional>
#include <span>
#include <string>

namespace caesura::tools {

/// A plan and all that is said about it.
struct PlanFacts {
  solver::Plan plan;
  std::optional<double> solve_seconds;  ///< unknown where the plan comes from a file
  solver::LowerBounds bounds;
  solver::Timeline timeline;
};

PlanFacts facts_of(solver::Plan plan, std::optional<double> solve_seconds);
/// The median of three solves where they are quick, so that the first touch of memory does not count.
PlanFacts timed_solve(const Mask& mask, const solver::Cluster& cluster, const solver::Options& options);

/// What is planned, how good the plan is beside its lower bounds, and the slowest ranks.
std::string plan_table(const MaskInput& input, const PlanFacts& facts);
/// One line for each plan of the same problem.
std::string comparison_table(const MaskInput& input, std::span<const PlanFacts> plans);
double mean_transfer_seconds(const solver::Timeline& timeline);
/// The time line in characters: for each of the slowest ranks a line of transfers and one of compute steps.
std::string timeline_text(const solver::Timeline& timeline);

/// `solver::to_json` with `solve_ms`, `lower_bounds` and `simulated_ms`.
std::string plan_json(const PlanFacts& facts);
/// `{"lower_bounds": .., "plans": [..]}`: the figures of `plan_json` for each, without ranks and placement.
std::string comparison_json(std::span<const PlanFacts> plans);

}  // namespace caesura::tools
