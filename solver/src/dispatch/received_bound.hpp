// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <vector>

namespace caesura::solver::impl {

/// What each rank of a plan has: `tokens` on average and `most_tokens` at most, and no more than `most_pairs`.
struct Shares {
  double ranks;
  double tokens;
  double most_tokens;
  double most_pairs;
};

/// Sizes of the documents of one kind, ascending, and how many rows belong to none.
struct Documents {
  std::vector<double> causal;
  std::vector<double> full;
  double other_rows = 0;
};

/// Rows that all ranks together receive at least, if each document is cut as if all ranks had room for it alone.
double unpriced_rows(const Documents& documents, const Shares& shares);

/// Rows that all ranks together receive at least: the best of some prices, see docs/solver.md.
double received_rows(const Documents& documents, const Shares& shares);

}  // namespace caesura::solver::impl
