// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "exchange/demand.hpp"
#include <caesura/solver/exchange.hpp>

#include <span>
#include <vector>

namespace caesura::solver::impl {

/// An exchange before it is cut into stages.
struct Draft {
  Hop first;    ///< keys, and for `qo` queries
  Hop second;   ///< keys of the first hop that go on inside a node
  Hop outputs;  ///< partial outputs on their way home
  std::vector<Range> ranges;
};

/// Pairs that each rank computes: on its own keys before anything arrives, and in all steps. Fixed costs included.
struct StepWork {
  std::vector<double> own;
  std::vector<double> total;
};

/// Each needed remote key, once, from its owner. O(ranges + ranks^2 / 64).
Draft zero_redundancy(const Demand& demand, const Placement& placement);

/// \p direct with keys that several ranks of a node need entering it once. O(n log n) in the ranges that cross nodes.
Draft hierarchical(Draft direct, const Cluster& cluster);

/// \p direct with queries moved instead of keys where that makes the step shorter, or costs fewer bytes and not more time.
/// \p work comes as that of \p direct and leaves as that of the result.
Draft moving_queries(Draft direct, const Demand& demand, const Cluster& cluster, const Options& options,
                     StepWork& work);

Exchange all_gather(const Demand& demand, std::int32_t stages);
Exchange ring(const Demand& demand);

}  // namespace caesura::solver::impl
