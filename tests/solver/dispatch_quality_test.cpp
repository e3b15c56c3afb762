// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/dispatch.hpp>
#include <support/masks.hpp>
#include <support/pairs.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

// How good dispatches are: against the best of all assignments, the greedy ones, and the lower bounds.

namespace caesura::solver {
namespace {

using testing::Random;

/// Small cases: documents of whole chunks, as many chunks for every rank.
struct SmallCase {
  Mask mask;
  Cluster cluster;
  Options options;
  std::string name;
};

/// Chunks of \p shortest to \p longest rows, links of \p slowest bytes a second or ten times as many.
SmallCase small_case(std::uint64_t seed, std::int64_t shortest, std::int64_t longest, double slowest) {
  Random random(seed);
  const std::int64_t chunk = random.integer(shortest, longest);
  const auto ranks = static_cast<std::int32_t>(random.integer(2, 3));
  const std::int64_t chunks = ranks * random.integer(2, ranks == 2 ? 4 : 3);
  std::vector<std::int64_t> lengths;
  for (std::int64_t rest = chunks; rest > 0; rest -= lengths.back() / chunk) {
    lengths.push_back(random.integer(1, rest) * chunk);
  }
  const DocumentMask rule = {.kind = random.chance(0.7) ? MaskKind::causal : MaskKind::full,
                             .window = random.chance(0.3) ? Window{random.integer(1, 3 * chunk), -1} : Window{}};
  const Cluster cluster = {.ranks = ranks,
                           .across_nodes = {.bytes_per_second = random.chance(0.5) ? slowest : 10 * slowest},
                           .compute = {.tile = {1, 1}}};
  std::string name = text("small_case(", seed, "): ", ranks, " ranks, chunks of ", chunk, ", link ",
                          cluster.across_nodes.bytes_per_second, ", lengths");
  for (const std::int64_t length : lengths) name += text(" ", length);
  return {Mask::from_documents(Documents::from_lengths(lengths), rule),
          cluster,
          {.chunk = chunk},
          text(name, ", ", testing::describe(rule))};
}

double seconds_of(const SmallCase& small, Dispatch kind) {
  Options options = small.options;
  options.dispatch = kind;
  return cost_of(small.mask, dispatch(small.mask, small.cluster, options), small.cluster, options).step_seconds;
}

/// The least step of all assignments of chunks that hold the cap.
double brute_force(const SmallCase& small) {
  const std::int64_t total = small.mask.total_q(), chunk = small.options.chunk, chunks = total / chunk;
  const std::int64_t cap = token_cap(total, small.cluster.ranks, 0);
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::int32_t> owner(static_cast<std::size_t>(chunks), 0);
  while (true) {
    std::vector<std::int64_t> tokens(static_cast<std::size_t>(small.cluster.ranks), 0);
    std::vector<OwnedRange> owned;
    for (std::int64_t i = 0; i < chunks; ++i) {
      const std::int32_t rank = owner[static_cast<std::size_t>(i)];
      tokens[static_cast<std::size_t>(rank)] += chunk;
      owned.push_back({{i * chunk, (i + 1) * chunk}, rank});
    }
    if (*std::max_element(tokens.begin(), tokens.end()) <= cap) {
      const Placement placement = Placement::together(small.cluster.ranks, total, std::move(owned));
      best = std::min(best, cost_of(small.mask, placement, small.cluster, small.options).step_seconds);
    }
    std::size_t at = 0;
    while (at < owner.size() && ++owner[at] == small.cluster.ranks) owner[at++] = 0;
    if (at == owner.size()) return best;
  }
}

TEST(Dispatch, ExactIsTheBestOfAllAssignments) {
  for (std::uint64_t seed = 0; seed < 60 && !::testing::Test::HasFailure(); ++seed) {
    const SmallCase small = small_case(seed, 2, 600, 4.5e9);
    const double best = brute_force(small);
    EXPECT_NEAR(seconds_of(small, Dispatch::exact), best, 1e-9 * best) << small.name;
  }
}

/// `balanced` may cut anywhere, but holds the tolerance; `exact` deals whole chunks, and may leave a rank with more
/// work where that saves traffic. So they are compared where a rank's work takes longer than its chunks' way.
TEST(Dispatch, BalancedIsWithinThreePercentOfExact) {
  double sum = 0, worst = 0;
  std::string worst_name;
  constexpr std::uint64_t cases = 1'000;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    const SmallCase small = small_case(seed, 512, 4096, 45e9);
    const double ratio = seconds_of(small, Dispatch::balanced) / seconds_of(small, Dispatch::exact);
    sum += ratio;
    if (ratio > worst) {
      worst = ratio;
      worst_name = small.name;
    }
  }
  EXPECT_LE(sum / cases, 1.03) << "worst: " << worst << " " << worst_name;
}

/// Where work can be even, greedy dealings are: rows saved must not cost that.
/// Nor does anybody send much more than somebody receives.
TEST(Dispatch, BalancedIsNeverBehindGreedy) {
  constexpr std::uint64_t seed = 31;
  Random random(seed);
  for (int i = 0; i < 75 && !::testing::Test::HasFailure(); ++i) {
    const std::int32_t ranks = std::array{4, 8, 16, 32, 64}[static_cast<std::size_t>(i) % 5];
    std::vector<std::int64_t> lengths;
    for (std::int64_t left = 8192 * ranks; left > 0; left -= lengths.back())
      lengths.push_back(std::min(left, std::int64_t{1} << random.integer(6, 17)));
    const Mask mask = Mask::from_documents(Documents::from_lengths(lengths),
                                           {.kind = random.chance(0.5) ? MaskKind::causal : MaskKind::full});
    const Cluster cluster = {.ranks = ranks, .compute = {.tile = {1, 1}}};
    const auto cost = [&](Dispatch kind) {
      const Options options = {.dispatch = kind};
      return cost_of(mask, dispatch(mask, cluster, options), cluster, options);
    };
    const PlacementCost balanced = cost(Dispatch::balanced);
    EXPECT_LE(balanced.step_seconds,
              (1 + 1e-6) * std::min(cost(Dispatch::lpt).step_seconds, cost(Dispatch::topp).step_seconds))
        << "seed " << seed << " draw " << i << ", " << ranks << " ranks" << testing::describe(mask.slices());
    EXPECT_LE(static_cast<double>(std::ranges::max(balanced.send_rows)),
              1.2 * static_cast<double>(std::ranges::max(balanced.receive_rows)))
        << "seed " << seed << " draw " << i << ", " << ranks << " ranks" << testing::describe(mask.slices());
  }
}

TEST(LowerBounds, NoDispatchGoesBelow) {
  constexpr std::uint64_t seed = 406;
  Random random(seed);
  for (int i = 0; i < 200 && !::testing::Test::HasFailure(); ++i) {
    const Mask mask = Mask::from_documents(Documents::from_lengths(random.lengths(20, 2'000)),
                                           random.chance(0.5) ? DocumentMask{} : random.rule(500));
    if (mask.slices().empty()) continue;
    const Cluster cluster = {.ranks = static_cast<std::int32_t>(random.integer(1, 12)),
                             .across_nodes = {.bytes_per_second = random.chance(0.5) ? 45e9 : 1e9}};
    for (const Dispatch kind : {Dispatch::contiguous, Dispatch::head_tail, Dispatch::lpt, Dispatch::balanced}) {
      const Options options = {.dispatch = kind};
      const LowerBounds bounds = lower_bounds(mask, cluster, options);
      const Placement placement = dispatch(mask, cluster, options);
      const PlacementCost cost = cost_of(mask, placement, cluster, options);
      SCOPED_TRACE(text("seed ", seed, " draw ", i, ", ", name_of(kind), ", ", cluster.ranks, " ranks",
                        testing::describe(mask.slices())));
      EXPECT_GE(*std::max_element(cost.work.begin(), cost.work.end()), bounds.work * (1 - 1e-9));
      EXPECT_GE(cost.step_seconds, bounds.step_seconds * (1 - 1e-9));
      Cluster pairs_alone = cluster;
      pairs_alone.compute.tile = {1, 1};
      if (cost_of(mask, placement, pairs_alone, options).max_over_mean_work > 1 + options.tolerance) continue;
      double received = 0;
      for (const std::int64_t rows : cost.receive_rows) received += static_cast<double>(rows);
      EXPECT_GE(received / cluster.ranks, bounds.mean_receive_rows * (1 - 1e-9));
    }
  }
}

/// Plans of `exact`, which may use all of a wide tolerance: where fillers are few and long documents many, the bound has least to spare.
TEST(LowerBounds, ExactDoesNotGoBelow) {
  int held = 0;
  for (std::uint64_t seed = 0; seed < 400 && !::testing::Test::HasFailure(); ++seed) {
    const SmallCase small = small_case(seed, 2, 600, 4.5e9);
    Options options = small.options;
    options.dispatch = Dispatch::exact;
    const PlacementCost cost =
        cost_of(small.mask, dispatch(small.mask, small.cluster, options), small.cluster, options);
    double received = 0;
    for (const std::int64_t rows : cost.receive_rows) received += static_cast<double>(rows);
    for (const double tolerance : {0.02, 0.1, 0.3}) {
      if (cost.max_over_mean_work > 1 + tolerance) continue;
      ++held;
      options.tolerance = tolerance;
      const LowerBounds bounds = lower_bounds(small.mask, small.cluster, options);
      EXPECT_GE(received / small.cluster.ranks, bounds.mean_receive_rows * (1 - 1e-9)) << small.name << tolerance;
    }
  }
  EXPECT_GE(held, 100);
}

}  // namespace
}  // namespace caesura::solver
