// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "problem.hpp"
#include <caesura/solver/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace caesura::solver {

namespace {

/// What each rank of a plan has: `tokens` on average and `most_tokens` at most, and no more than `most_pairs`.
struct Shares {
  double ranks;
  double tokens;
  double most_tokens;
  double most_pairs;
};

/// The excess of a row is its pairs beyond `filler`, the price of a row in pairs. A rank holds `capacity` of it. A part of a component with more
/// costs `rows` a pair of it, and a part with less than none earns as much: it makes room for another.
struct Prices {
  double filler;
  double rows;
  double capacity;
};

/// The least that the parts of one plain causal document receive and pay together. A rank needs all rows up to its last one, and the
/// rows behind the last one of the (i + 1)-th rank, counted from the end, belong to i ranks, which bounds where it can lie.
double causal_rows(double size, const Shares& shares, const Prices& prices) {
  const double filler = std::min(std::floor(prices.filler), size);
  // Of the rows lighter than filler: somebody can use it all.
  const double relief = filler * prices.filler - 0.5 * filler * (filler + 1);
  const double excess = 0.5 * size * (size + 1) - prices.filler * size;
  if (excess < 0) return prices.rows * excess;
  // The first row such that those from it on have the excess.
  const auto row_of = [&](double above) {
    const double b = 2 * prices.filler - 1;
    const double square = b * b + 8 * (excess - above);
    return square <= 0 ? 0 : std::max(0.0, 0.5 * (b + std::sqrt(square)) - 1);
  };
  const auto received = [&](double over) {
    double sum = 0;
    for (double i = 1;; ++i) {
      const double square = size * (size + 1) - 2 * i * shares.most_pairs;
      double last = std::max(square <= 0 ? 0 : 0.5 * (std::sqrt(1 + 4 * square) - 1), size - i * shares.most_tokens);
      const double by_excess = row_of(relief + i * prices.capacity + over);
      if (prices.rows > 0 && by_excess > prices.filler) last = std::max(last, by_excess);
      if (last < 1) return sum;
      sum += last;
    }
  };
  if (prices.rows == 0) return received(0);
  // The fewer rows, the more is paid: between two amounts at least the rows of the larger and the price of the smaller.
  const double most_over = std::max(0.0, excess - prices.capacity);
  double least = received(most_over) + prices.rows * most_over;
  constexpr int steps = 12;
  for (int step = 0; step < steps; ++step) {
    const double paid = prices.rows * most_over * step * step / (steps * steps);
    if (paid >= least) break;
    least = std::min(least, received(most_over * (step + 1) * (step + 1) / (steps * steps)) + paid);
  }
  return std::max(0.0, least - prices.rows * relief);
}

/// Every row sees every key of a component of \p size: all of its ranks need all of it.
double full_rows(double size, const Shares& shares, const Prices& prices) {
  const double excess = size * (size - prices.filler);
  if (excess < 0) return prices.rows * excess;
  const double fewest =
      std::max({1.0, std::ceil(size * size / shares.most_pairs - 1e-9), std::ceil(size / shares.most_tokens - 1e-9)});
  double least = HUGE_VAL;
  for (const double ranks : {fewest, std::floor(excess / prices.capacity), std::ceil(excess / prices.capacity)}) {
    if (ranks >= fewest)
      least = std::min(least, (ranks - 1) * size + prices.rows * std::max(0.0, excess - ranks * prices.capacity));
  }
  return least;
}

/// Sizes of the documents of one kind, ascending, and how many rows belong to none.
struct Documents {
  std::vector<double> causal;
  std::vector<double> full;
  double other_rows = 0;
};

/// Rows that all ranks together receive. Valid for any prices, see docs/solver.md.
double received_rows(const Documents& documents, const Shares& shares, const Prices& prices) {
  double rows =
      -prices.rows * prices.filler * (documents.other_rows + shares.ranks * (shares.most_tokens - shares.tokens));
  const auto add = [&](const std::vector<double>& sizes, const auto& rows_of) {
    for (std::size_t i = 0, next = 0; i < sizes.size(); i = next) {
      while (next < sizes.size() && sizes[next] == sizes[i]) ++next;
      rows += static_cast<double>(next - i) * rows_of(sizes[i], shares, prices);
    }
  };
  add(documents.causal, causal_rows);
  add(documents.full, full_rows);
  return rows;
}

/// The best of some prices.
double received_rows(const Documents& documents, const Shares& shares) {
  double most = received_rows(documents, shares, {0, 0, shares.most_pairs});
  for (int i = 1; i < 12; ++i) {
    const double filler = shares.most_pairs / shares.tokens * i / 16;
    for (const double head : {0.1, 0.2, 0.35, 0.5, 0.75, 1.0}) {
      most = std::max(
          most, received_rows(documents, shares, {filler, head / filler, shares.most_pairs - filler * shares.tokens}));
    }
  }
  return most;
}

/// A plan may let ranks compute more than the tolerance and thereby receive less: where one takes as long as the other.
double least_step(const Documents& documents, Shares shares, const impl::Problem& problem) {
  const auto transfer = [&](double pairs) {
    shares.most_pairs = pairs;
    return received_rows(documents, shares, {0, 0, pairs}) / shares.ranks * problem.seconds_per_row();
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
  const double received = received_rows(documents, shares);
  bounds.work = std::max(problem.mean_pairs(), densest);
  bounds.mean_receive_rows = received / problem.ranks();
  bounds.step_seconds = std::max({bounds.work * problem.seconds_per_pair(), most_received * problem.seconds_per_row(),
                                  least_step(documents, shares, problem)});
  return bounds;
}

}  // namespace caesura::solver
