// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "deal.hpp"

namespace caesura::solver::impl {

/// What one construction tries; the best of several is kept.
struct Recipe {
  double headroom = 0.5;     ///< of the tolerance that a rank may be planned above the mean
  double spare = 0;          ///< of the rows planned for a group's ranks, what middle components leave free beside them
  bool light = false;        ///< the price of filler is that of the lightest rows, not of the shortest components
  double least_group = 1.5;  ///< ranks that a component must be worth to get its own
  double short_share = 0.5;  ///< of a rank's tokens: shorter components are filler
  double price = 1;          ///< of filler, relative to what it is found to be
  double heads = 0;  ///< times the price: how dense the sparse ends of middle components may be to become filler
};

/// A complete dealing, built at once: long components to groups of ranks, then those of middle size, then short ones as filler.
Deal construct(const Problem& problem, const Recipe& recipe);

}  // namespace caesura::solver::impl
