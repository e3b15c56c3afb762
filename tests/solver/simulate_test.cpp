// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/simulate.hpp>
#include <support/errors.hpp>
#include <support/random_problem.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace caesura::solver {
namespace {

using testing::RandomProblem;

Plan plan_of(const RandomProblem& problem) {
  return Plan(problem.mask, problem.placement, problem.cluster, problem.options);
}

TEST(Simulate, OverlapCountsTheSlowerOfTransferAndCompute) {
  EXPECT_DOUBLE_EQ(overlapped_seconds({}, std::vector{3.0}), 3);
  EXPECT_DOUBLE_EQ(overlapped_seconds(std::vector{1.0, 5.0}, std::vector{2.0, 4.0, 0.5}), 2 + 5 + 0.5);
  testing::expect_invalid({"overlapped_seconds: compute has 2 steps: must have one more than the 2 transfers"}, [] {
    overlapped_seconds(std::vector{1.0, 5.0}, std::vector{2.0, 4.0});
  });
}

/// Rank 1 needs the 4 keys of rank 0: 4 x 128 bytes. A pair costs 128 FLOP: 10 pairs for rank 0, 10 and then 16 for rank 1.
Plan two_ranks(const Options& options = {.stages = 1}) {
  Options small = options;
  small.layer = {.heads_q = 1, .heads_kv = 1, .dim_qk = 32, .dim_v = 32};
  return Plan(Mask::from_documents(Documents::from_lengths({8})), Placement::together(2, 8, {{{0, 4}, 0}, {{4, 8}, 1}}),
              {.ranks = 2, .compute = {.tile = {1, 1}}}, small);
}

Cluster slow_cluster() {
  Cluster cluster = {.ranks = 2};
  cluster.across_nodes = {.bytes_per_second = 512, .latency_seconds = 0.5};
  cluster.compute.forward_flops = 128;
  cluster.compute.tile = {1, 1};
  cluster.compute.step_seconds = 0.25;
  return cluster;
}

TEST(Simulate, PlaysOneTransferBesideTheFirstStep) {
  const Timeline timeline = simulate(two_ranks(), slow_cluster());
  ASSERT_EQ(timeline.ranks.size(), 2u);
  const RankTimeline& second = timeline.ranks[1];
  ASSERT_EQ(second.transfers.size(), 1u);
  EXPECT_DOUBLE_EQ(second.transfers[0].begin, 0);
  EXPECT_DOUBLE_EQ(second.transfers[0].end, 1.5);
  ASSERT_EQ(second.computes.size(), 2u);
  EXPECT_DOUBLE_EQ(second.computes[0].end, 10);
  EXPECT_EQ(second.computes[1].index, 1);
  EXPECT_DOUBLE_EQ(second.computes[1].begin, 10);
  EXPECT_DOUBLE_EQ(second.computes[1].end, 26.25);
  EXPECT_EQ(timeline.ranks[0].computes.size(), 1u);
  EXPECT_DOUBLE_EQ(timeline.ranks[0].end, 10);
  EXPECT_DOUBLE_EQ(timeline.seconds, 26.25);
  EXPECT_DOUBLE_EQ(timeline.compute_seconds, 26);
  EXPECT_DOUBLE_EQ(timeline.hidden_seconds, 1.5);
}

TEST(Simulate, AStepWaitsForItsStage) {
  Cluster cluster = slow_cluster();
  cluster.across_nodes.bytes_per_second = 512 / 20.0;
  const Timeline timeline = simulate(two_ranks(), cluster);
  EXPECT_DOUBLE_EQ(timeline.ranks[1].computes[1].begin, 20.5);
  EXPECT_DOUBLE_EQ(timeline.seconds, 36.75);
  EXPECT_DOUBLE_EQ(timeline.hidden_seconds, 10);
}

TEST(Simulate, LinksInsideANodeHaveTheirOwnRate) {
  Cluster cluster = slow_cluster();
  cluster.ranks_per_node = 2;
  cluster.within_node = {.bytes_per_second = 128, .latency_seconds = 0};
  EXPECT_DOUBLE_EQ(simulate(two_ranks(), cluster).ranks[1].transfers[0].end, 4);
}

TEST(Simulate, PortsTakeOneMessageAtATime) {
  // Rank 0's one key goes to three ranks; in cyclic order, a second each.
  const Mask mask = Mask::from_slices(4, 4, std::vector<BandSlice>{BandSlice::full({1, 4}, {0, 1})});
  const Options options = {.stages = 1, .layer = {.heads_q = 1, .heads_kv = 1, .dim_qk = 32, .dim_v = 32}};
  Cluster cluster = {.ranks = 4};
  cluster.across_nodes.bytes_per_second = 128;
  const Plan plan(mask, Placement::together(4, 4, {{{0, 1}, 0}, {{1, 2}, 1}, {{2, 3}, 2}, {{3, 4}, 3}}), cluster,
                  options);
  const Timeline timeline = simulate(plan, cluster);
  EXPECT_DOUBLE_EQ(timeline.ranks[0].transfers[0].end, 3);
  for (const std::size_t rank : {1u, 2u, 3u}) {
    EXPECT_DOUBLE_EQ(timeline.ranks[rank].transfers[0].begin, static_cast<double>(rank) - 1);
    EXPECT_DOUBLE_EQ(timeline.ranks[rank].transfers[0].end, static_cast<double>(rank));
  }
}

TEST(Simulate, RowsGoOnInsideANodeWhenTheyHaveEnteredIt) {
  // Rank 0's key takes a second into the other node, to rank 2, and two on to rank 3.
  const Mask mask = Mask::from_slices(4, 4, std::vector<BandSlice>{BandSlice::full({2, 4}, {0, 1})});
  const Options options = {.exchange = ExchangeKind::hierarchical,
                           .stages = 1,
                           .layer = {.heads_q = 1, .heads_kv = 1, .dim_qk = 32, .dim_v = 32}};
  Cluster cluster = {.ranks = 4, .ranks_per_node = 2};
  cluster.across_nodes.bytes_per_second = 128;
  cluster.within_node.bytes_per_second = 64;
  const Plan plan(mask, Placement::together(4, 4, {{{0, 1}, 0}, {{1, 2}, 1}, {{2, 3}, 2}, {{3, 4}, 3}}), cluster,
                  options);
  const Timeline timeline = simulate(plan, cluster);
  EXPECT_DOUBLE_EQ(timeline.ranks[2].transfers[0].begin, 0);
  EXPECT_DOUBLE_EQ(timeline.ranks[2].transfers[0].end, 3);
  EXPECT_DOUBLE_EQ(timeline.ranks[3].transfers[0].begin, 1);
  EXPECT_DOUBLE_EQ(timeline.ranks[3].transfers[0].end, 3);
}

void expect_in_order(const std::vector<Activity>& activities, const std::string& where) {
  for (std::size_t i = 0; i < activities.size(); ++i) {
    ASSERT_LE(0, activities[i].begin) << where;
    ASSERT_LE(activities[i].begin, activities[i].end) << where;
    if (i == 0) continue;
    ASSERT_LT(activities[i - 1].index, activities[i].index) << where;
    ASSERT_LE(activities[i - 1].end, activities[i].begin) << where;
  }
}

TEST(Simulate, KeepsTheOrderOfStagesAndSteps) {
  for (std::uint64_t seed = 0; seed < 800; ++seed) {
    const RandomProblem problem = testing::random_problem(seed, 80, 12);
    const Plan plan = plan_of(problem);
    const Timeline timeline = simulate(plan, problem.cluster);
    double last = 0;
    for (std::size_t rank = 0; rank < timeline.ranks.size(); ++rank) {
      const RankTimeline& line = timeline.ranks[rank];
      const std::string where = text("seed ", seed, ", rank ", rank);
      expect_in_order(line.transfers, where);
      expect_in_order(line.computes, where);
      for (const Activity& step : line.computes) {
        // Everything that came in stages before the step, at the rate of the fastest link it may have taken.
        for (const Activity& stage : line.transfers) {
          const auto into = [&](const Transfer& t) { return t.target == static_cast<std::int32_t>(rank); };
          const Stage& hops = plan.exchange().stages()[static_cast<std::size_t>(stage.index)];
          const bool receives =
              std::ranges::any_of(hops, [&](const Hop& hop) { return std::ranges::any_of(hop, into); });
          const bool sends = std::ranges::any_of(hops, [&](const Hop& hop) {
            return std::ranges::any_of(hop,
                                       [&](const Transfer& t) { return t.source == static_cast<std::int32_t>(rank); });
          });
          if (stage.index < step.index && receives && !sends) {
            ASSERT_LE(stage.end, step.begin) << where;
          }
          if (stage.index < step.index && receives) {
            ASSERT_LE(stage.begin, step.begin) << where;
          }
        }
      }
      for (const auto* list : {&line.transfers, &line.computes}) {
        ASSERT_LE(list->empty() ? 0 : list->back().end, line.end) << where;
      }
      last = std::max(last, line.end);
    }
    ASSERT_EQ(timeline.seconds, last) << "seed " << seed;
    ASSERT_GE(timeline.seconds, timeline.compute_seconds * (1 - 1e-12)) << "seed " << seed;
    ASSERT_GE(timeline.seconds, plan.predicted_step_seconds() * (1 - 1e-12)) << "seed " << seed;
  }
}

TEST(Simulate, FastLinksLeaveTheComputeAlone) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const RandomProblem problem = testing::random_problem(seed, 80, 10);
    Cluster fast = problem.cluster;
    fast.within_node = fast.across_nodes = {.bytes_per_second = 1e300, .latency_seconds = 0};
    fast.compute.step_seconds = 0;
    const Timeline timeline = simulate(plan_of(problem), fast);
    // Ranks wait for one another only where a transfer leaves behind a step: moved queries and second stages.
    ASSERT_GE(timeline.seconds, timeline.compute_seconds * (1 - 1e-12)) << "seed " << seed;
    if (problem.options.exchange == ExchangeKind::zero_redundancy && problem.options.stages == 1) {
      ASSERT_NEAR(timeline.seconds, timeline.compute_seconds, 1e-9 * timeline.compute_seconds) << "seed " << seed;
    }
  }
}

TEST(Simulate, PlaysThousandsOfRanks) {
  const std::int32_t ranks = 4096;
  const Mask mask = Mask::from_documents(Documents::from_lengths(std::vector<std::int64_t>(300, 7000)));
  const Plan plan = solve(mask, {.ranks = ranks, .ranks_per_node = 8},
                          {.dispatch = Dispatch::contiguous, .exchange = ExchangeKind::hierarchical});
  const Timeline timeline = simulate(plan, plan.cluster());
  EXPECT_GE(timeline.seconds, timeline.compute_seconds);
  EXPECT_LE(timeline.seconds, 3 * plan.predicted_step_seconds());
}

TEST(Simulate, NeedsTheRanksOfThePlan) {
  testing::expect_invalid({"simulate: ranks of the cluster = 3: must be those of the plan, 2"},
                          [] { simulate(two_ranks(), {.ranks = 3}); });
  testing::expect_invalid({"simulate: ranks = 0: must be at least 1"}, [] { simulate(two_ranks(), {.ranks = 0}); });
}

}  // namespace
}  // namespace caesura::solver
