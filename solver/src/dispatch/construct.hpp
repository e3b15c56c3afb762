// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "deal.hpp"

namespace caesura::solver::impl {

/// What one construction tries; the best of several is kept.
struct Recipe {
  double headroom = 0.5;  ///< of the tolerance that a rank may be planned above the mean
  double spare = 0;       ///< of the rows planned for a group's ranks, what middle components leave free beside them
  bool light = false;     ///< the price of filler is that of the lightest rows, not of the shortest components
};

/// A complete dealing, built at once: long components to groups of ranks, then those of middle size, then short ones as filler.
Deal construct(const Problem& problem, const Recipe& recipe);

}  // namespace caesura::solver::impl
