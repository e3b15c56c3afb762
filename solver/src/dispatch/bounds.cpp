// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "problem.hpp"
#include "received_bound.hpp"
#include <caesura/solver/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace caesura::solver {

namespace {

using impl::Documents;
using impl::Shares;

/// A plan may let ranks compute more than the tolerance and thereby receive less: where one takes as long as the other.
double least_step(const Documents& documents, Shares shares, const impl::Problem& problem) {
  const auto transfer = [&](double pairs) {
    shares.most_pairs = pairs;
    return impl::unpriced_rows(documents, shares) / shares.ranks * problem.seconds_per_row();
  };
  double low = problem.mean_pairs();
  double high = 2 * shares.most_pairs;
  while (transfer(high) > high * problem.seconds_per_pair() && high < problem.total_pairs()) high *= 2;
  for (int round = 0; round < 20; ++round) {
    const double middle = 0.5 * (low + high);
    transfer(middle) > middle* problem.seconds_per_pair() ? low = middle : high = middle;
  }
  // Below `low` the traffic takes longer, above it compute does.
  return low * problem.seconds_per_pair();
}

}  // namespace

LowerBounds lower_bounds(const Mask& mask, const Cluster& cluster, const Options& options) {
  cluster.validate("lower_bounds");
  options.validate("lower_bounds");
  const WeightedMask weighted = {mask, 1};
  const impl::Problem problem(std::span(&weighted, 1), cluster, options);
  const double tokens = static_cast<double>(token_cap(problem.total(), problem.ranks(), options.token_slack));
  LowerBounds bounds;
  Documents documents;
  double densest = 0;
  double most_received = 0;
  for (const impl::Component& component : problem.components()) {
    const double size = static_cast<double>(component.rows.size());
    const std::int64_t last = component.dense_first ? component.rows.begin : component.rows.end - 1;
    if (component.count > 0) densest = std::max(densest, problem.pairs(component, {last, last + 1}));
    if (component.prefix) {
      documents.causal.push_back(size);
    } else if (component.full) {
      documents.full.push_back(size);
    } else {
      documents.other_rows += size;
    }
    // Whoever owns the last row needs all others.
    if (component.prefix || component.full) most_received = std::max(most_received, size - tokens);
  }
  std::sort(documents.causal.begin(), documents.causal.end());
  std::sort(documents.full.begin(), documents.full.end());
  const Shares shares = {.ranks = static_cast<double>(problem.ranks()),
                         .tokens = static_cast<double>(problem.total()) / problem.ranks(),
                         .most_tokens = tokens,
                         .most_pairs = std::max(problem.mean_pairs() * (1 + options.tolerance), densest)};
  const double received = impl::received_rows(documents, shares);
  bounds.work = std::max(problem.mean_pairs(), densest);
  bounds.mean_receive_rows = received / problem.ranks();
  bounds.step_seconds = std::max({bounds.work * problem.seconds_per_pair(), most_received * problem.seconds_per_row(),
                                  least_step(documents, shares, problem)});
  return bounds;
}

}  // namespace caesura::solver
