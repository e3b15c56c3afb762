// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "deal.hpp"

namespace caesura::solver::impl {

/// What one construction tries; the best of several is kept.
struct Recipe {
  double headroom = 0.5;     ///< of the tolerance that a rank may be planned above the mean
  double short_share = 0.5;  ///< of a rank's tokens: shorter components are filler
  double least_group = 1.5;  ///< ranks that a component must be worth to get its own
  bool light = false;        ///< the price of filler is that of the lightest material, not of all
  double send_factor = 1;    ///< of the rows that hide behind compute, the limit of what a rank of a group sends
};

/// A complete dealing, built at once: long components to groups of ranks, then those of middle size, then short ones as filler.
Deal construct(const Problem& problem, const Recipe& recipe);

}  // namespace caesura::solver::impl
