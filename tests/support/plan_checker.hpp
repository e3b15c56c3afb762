// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/solver/plan.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace caesura::testing {

/// Judges plans by what the solver's headers promise. It reads their data alone: nothing here calls the solver's own
/// logic.
///
/// `exhaustive` keeps a flag a row and a number a pair, and goes by definitions: for masks up to about 2,000 x 2,000.
/// `fast` sweeps intervals of rows and compares areas: for any size.
enum class Depth { exhaustive, fast };

/// Sentences, at most 20 of them; empty if all is well.
using Violations = std::vector<std::string>;

/// The slices that somebody says \p rank computes in \p step.
using StepSlices = std::function<std::vector<BandSlice>(std::int32_t rank, std::int32_t step)>;

/// What an exchange moves, and for whom.
struct ExchangeParts {
  const Mask& mask;
  const solver::Placement& placement;
  const solver::Cluster& cluster;
  const solver::Exchange& exchange;
};

/// Every row has one owner, ranks and totals are those of the cluster and the mask, and no rank owns more tokens than
/// `options.token_slack` allows; without slack, no two ranks differ by more than one.
Violations placement_violations(const Mask& mask, const solver::Placement& placement, const solver::Cluster& cluster,
                                const solver::Options& options);

/// Hops and ranges are in order; whoever sends holds what it sends; whoever receives needs it and has not got it; every
/// visible pair is computed exactly once; every partial output comes home once. `transposed()` is the same backwards.
/// With \p slices, they must be exactly the pairs of that rank and step.
Violations exchange_violations(const ExchangeParts& parts, Depth depth, const StepSlices& slices = {});

/// \p backward is \p forward, last transfer first and from target to source.
Violations transposition_violations(const solver::Exchange& forward, const solver::Exchange& backward);

/// All of the above, with `Plan::slices`.
Violations plan_violations(const solver::Plan& plan, Depth depth);

/// One a line, for messages.
std::string joined(const Violations& violations);

}  // namespace caesura::testing
