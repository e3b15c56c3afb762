// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "problem.hpp"
#include <caesura/solver/dispatch.hpp>

#include <algorithm>
#include <cmath>

namespace caesura::solver {

namespace {

/// The least rows that the ranks of one plain causal document receive together, if none computes more than \p most_pairs of it nor owns more
/// than \p tokens. A rank needs all rows up to its last one; the rows behind the last one of the (i + 1)-th rank, counted from the end,
/// belong to i ranks, which bounds where it can lie.
double causal_rows(double size, double most_pairs, double tokens) {
  double received = 0;
  for (double ranks = 1;; ++ranks) {
    const double square = size * (size + 1) - 2 * ranks * most_pairs;
    const double last = std::max(square <= 0 ? 0 : (std::sqrt(1 + 4 * square) - 1) / 2, size - ranks * tokens);
    if (last < 1) return received;
    received += last;
  }
}

/// Every row sees every key of a component of \p size: all of its ranks need all of it.
double full_rows(double size, double pairs, double most_pairs, double tokens) {
  const double ranks = std::max(std::ceil(pairs / most_pairs - 1e-9), std::ceil(size / tokens - 1e-9));
  return std::max(0.0, ranks - 1) * size;
}

}  // namespace

LowerBounds lower_bounds(const Mask& mask, const Cluster& cluster, const Options& options) {
  cluster.validate("lower_bounds");
  options.validate("lower_bounds");
  const WeightedMask weighted = {mask, 1};
  const impl::Problem problem(std::span(&weighted, 1), cluster, options);
  const double tokens = static_cast<double>(token_cap(problem.total(), problem.ranks(), options.token_slack));
  LowerBounds bounds;
  double densest = 0;
  double received = 0;
  double most_received = 0;
  for (const impl::Component& component : problem.components()) {
    const double size = static_cast<double>(component.rows.size());
    const std::int64_t last = component.dense_first ? component.rows.begin : component.rows.end - 1;
    if (component.count > 0) densest = std::max(densest, problem.pairs(component, {last, last + 1}));
    const double most_pairs = problem.mean_pairs() * (1 + options.tolerance);
    if (component.prefix) received += causal_rows(size, std::max(most_pairs, densest), tokens);
    if (component.full) received += full_rows(size, component.pairs, std::max(most_pairs, densest), tokens);
    // Whoever owns the last row needs all others.
    if (component.prefix || component.full) most_received = std::max(most_received, size - tokens);
  }
  bounds.work = std::max(problem.mean_pairs(), densest);
  bounds.mean_receive_rows = received / problem.ranks();
  bounds.step_seconds =
      std::max({bounds.work * problem.seconds_per_pair(), bounds.mean_receive_rows * problem.seconds_per_row(),
                most_received * problem.seconds_per_row()});
  return bounds;
}

}  // namespace caesura::solver
