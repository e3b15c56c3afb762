// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/plan.hpp>
#include <caesura/solver/workload.hpp>
#include <support/errors.hpp>
#include <support/random_problem.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

namespace caesura::solver {
namespace {

using testing::RandomProblem;

Plan plan_of(const RandomProblem& problem) {
  return Plan(problem.mask, problem.placement, problem.cluster, problem.options);
}

Placement halves() { return Placement::together(2, 8, {{{0, 4}, 0}, {{4, 8}, 1}}); }
Mask causal_8() { return Mask::from_documents(Documents::from_lengths({8})); }

TEST(Plan, CountsWhatEachRankHasToDo) {
  const LayerShape layer = {.heads_q = 2, .heads_kv = 1, .dim_qk = 16, .dim_v = 8};
  const Plan plan(causal_8(), Placement::together(2, 8, {{{0, 3}, 0}, {{3, 7}, 1}, {{7, 8}, 0}}),
                  {.ranks = 2, .compute = {.tile = {2, 2}}}, {.layer = layer});
  const RankLoad& first = plan.loads()[0];
  EXPECT_EQ(first.tokens, 4);
  EXPECT_EQ(first.chunks, 2);
  EXPECT_EQ(first.area, 1 + 2 + 3 + 8);
  EXPECT_EQ(first.tile_cost, 4 + 4 + 8);  // rows 0 and 1: a tile; row 2 alone: two half tiles; row 7: four
  EXPECT_EQ(first.work, 16);
  EXPECT_EQ(first.receive_rows, 4);
  EXPECT_EQ(first.send_rows, 3);
  EXPECT_EQ(first.receive_rows_across, 4);
  EXPECT_EQ(first.receive_bytes, 4 * 48);
  EXPECT_EQ(first.send_bytes, 3 * 48);
  // q 64 bytes a row, k and v 48, out 32 and lse 8; received 192
  EXPECT_EQ(first.memory_bytes, 4 * (64 + 48 + 40) + 192);
  EXPECT_EQ(plan.local_tokens(0), RangeSet({{0, 3}, {7, 8}}));
  EXPECT_DOUBLE_EQ(plan.max_over_mean_area(), (4 + 5 + 6 + 7) / 18.0);
  EXPECT_DOUBLE_EQ(plan.max_over_mean_tokens(), 1);
  EXPECT_DOUBLE_EQ(plan.mean_receive_rows(), 3.5);
  EXPECT_EQ(plan.max_receive_rows(), 4);
  EXPECT_EQ(plan.max_send_rows(), 4);
}

TEST(Plan, PredictsTheSlowestRank) {
  Cluster cluster = {.ranks = 2};
  cluster.compute.tile = {1, 1};
  const Options options = {.layer = {.heads_q = 1, .heads_kv = 1, .dim_qk = 32, .dim_v = 32}};
  cluster.across_nodes.bytes_per_second = 1e12;
  cluster.compute.forward_flops = 1e3;
  // Rank 1 computes 26 pairs of 128 FLOP; it receives 4 rows of 128 bytes.
  EXPECT_DOUBLE_EQ(Plan(causal_8(), halves(), cluster, options).predicted_step_seconds(), 26 * 128 / 1e3);
  cluster.across_nodes.bytes_per_second = 1;
  EXPECT_DOUBLE_EQ(Plan(causal_8(), halves(), cluster, options).predicted_step_seconds(), 512);
  Options both = options;
  both.passes = {.forward = 1, .backward = 1};  // rows twice, and their gradients in float
  EXPECT_DOUBLE_EQ(Plan(causal_8(), halves(), cluster, both).predicted_step_seconds(), 512 * 4);
  cluster.ranks_per_node = 2;
  cluster.within_node.bytes_per_second = 2;
  EXPECT_DOUBLE_EQ(Plan(causal_8(), halves(), cluster, options).predicted_step_seconds(), 256);
}

TEST(Plan, LoadsAreTheSumsOverStepsAndTransfers) {
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    RandomProblem problem = testing::random_problem(seed, 80, 10);
    const Plan plan = plan_of(problem);
    std::int64_t sent = 0, received = 0, area = 0;
    for (std::int32_t rank = 0; rank < problem.cluster.ranks; ++rank) {
      const RankLoad& load = plan.loads()[static_cast<std::size_t>(rank)];
      std::int64_t pairs = 0;
      for (std::int32_t step = 0; step < plan.exchange().steps(); ++step) {
        for (const BandSlice& slice : plan.slices(rank, step)) pairs += slice.area();
      }
      ASSERT_EQ(pairs, load.area) << "seed " << seed << ", rank " << rank;
      ASSERT_GE(load.tile_cost, load.area) << "seed " << seed << ", rank " << rank;
      area += load.area;
      sent += load.send_rows;
      received += load.receive_rows;
    }
    ASSERT_EQ(area, problem.mask.area()) << "seed " << seed;
    ASSERT_EQ(sent, received) << "seed " << seed;
  }
}

TEST(Plan, MovingQueriesNeverMakesTheStepLonger) {
  int shorter = 0, moves = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    RandomProblem problem = testing::random_problem(seed, 120, 10);
    problem.options.exchange = ExchangeKind::zero_redundancy;
    const double direct = plan_of(problem).predicted_step_seconds();
    problem.options.exchange = ExchangeKind::qo;
    const Plan plan = plan_of(problem);
    ASSERT_LE(plan.predicted_step_seconds(), direct) << "seed " << seed;
    shorter += plan.predicted_step_seconds() < direct * 0.9;
    for (const Stage& stage : plan.exchange().stages()) {
      moves += std::ranges::any_of(stage[0], [](const Transfer& t) { return t.payload == Payload::queries; });
    }
  }
  EXPECT_GT(shorter, 100);
  EXPECT_GT(moves, 300);
}

TEST(Plan, NodesReceiveLessFromOutsideInTwoHops) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    RandomProblem problem = testing::random_problem(seed, 120, 12);
    const auto across = [&](ExchangeKind kind) {
      problem.options.exchange = kind;
      std::int64_t rows = 0, all = 0;
      const Plan plan = plan_of(problem);
      for (const RankLoad& load : plan.loads()) {
        rows += load.receive_rows_across;
        all += load.receive_rows;
      }
      return std::pair(rows, all);
    };
    const auto direct = across(ExchangeKind::zero_redundancy), two_hops = across(ExchangeKind::hierarchical);
    ASSERT_LE(two_hops.first, direct.first) << "seed " << seed;
    ASSERT_EQ(two_hops.second, direct.second) << "seed " << seed;
  }
}

TEST(Plan, HashTellsApartEverythingThatRanksMustAgreeOn) {
  const Cluster cluster = {.ranks = 2};
  const auto hash = [](const Mask& mask, const Placement& placement, const Cluster& machine, const Options& options) {
    return Plan(mask, placement, machine, options).hash();
  };
  std::set<std::uint64_t> hashes = {hash(causal_8(), halves(), cluster, {})};
  EXPECT_EQ(*hashes.begin(), hash(causal_8(), halves(), cluster, {}));
  Cluster negative_zero = cluster;
  negative_zero.across_nodes.latency_seconds = -0.0;
  EXPECT_EQ(*hashes.begin(), hash(causal_8(), halves(), negative_zero, {}));

  hashes.insert(hash(Mask::from_documents(Documents::from_lengths({7, 1})), halves(), cluster, {}));
  hashes.insert(hash(causal_8(), Placement::together(2, 8, {{{0, 4}, 1}, {{4, 8}, 0}}), cluster, {}));
  hashes.insert(
      hash(causal_8(), Placement::apart(2, 8, {{{0, 4}, 0}, {{4, 8}, 1}}, 8, {{{0, 3}, 0}, {{3, 8}, 1}}), cluster, {}));
  std::size_t expected = 4;
  const std::vector<std::function<void(Cluster&)>> machines = {
      [](Cluster& c) { c.ranks_per_node = 2; },
      [](Cluster& c) { c.within_node.bytes_per_second *= 2; },
      [](Cluster& c) { c.within_node.latency_seconds = 1e-6; },
      [](Cluster& c) { c.across_nodes.bytes_per_second *= 2; },
      [](Cluster& c) { c.across_nodes.latency_seconds = 1e-6; },
      [](Cluster& c) { c.compute.forward_flops *= 2; },
      [](Cluster& c) { c.compute.backward_flops *= 2; },
      [](Cluster& c) { c.compute.tile.rows = 64; },
      [](Cluster& c) { c.compute.tile.keys = 64; },
      [](Cluster& c) { c.compute.pairs_per_row = 1; },
      [](Cluster& c) { c.compute.pairs_per_tile = 1; },
      [](Cluster& c) { c.compute.step_seconds = 1e-6; }};
  for (const auto& change : machines) {
    Cluster other = cluster;
    change(other);
    hashes.insert(hash(causal_8(), halves(), other, {}));
    EXPECT_EQ(hashes.size(), ++expected);
  }
  const std::vector<std::function<void(Options&)>> choices = {[](Options& o) { o.dispatch = Dispatch::lpt; },
                                                              [](Options& o) { o.exchange = ExchangeKind::ring; },
                                                              [](Options& o) { o.exchange = ExchangeKind::all_gather; },
                                                              [](Options& o) { o.stages = 1; },
                                                              [](Options& o) { o.stages = 2; },
                                                              [](Options& o) { o.token_slack = 0.5; },
                                                              [](Options& o) { o.tolerance = 0.5; },
                                                              [](Options& o) { o.chunk = 2; },
                                                              [](Options& o) { o.top_p = 0.5; },
                                                              [](Options& o) { o.layer.heads_q = 32; },
                                                              [](Options& o) { o.layer.heads_kv = 4; },
                                                              [](Options& o) { o.layer.dim_qk = 64; },
                                                              [](Options& o) { o.layer.dim_v = 64; },
                                                              [](Options& o) { o.layer.scalar_bytes = 4; },
                                                              [](Options& o) { o.passes.forward = 2; },
                                                              [](Options& o) { o.passes.backward = 2; }};
  for (const auto& change : choices) {
    Options other;
    change(other);
    hashes.insert(hash(causal_8(), halves(), cluster, other));
    EXPECT_EQ(hashes.size(), ++expected);
  }
}

TEST(Plan, HashIsTheSameOnEveryMachine) {
  // A fixed value: whoever changes it breaks stored plans, and must raise plan_json_version.
  EXPECT_EQ(Plan(causal_8(), halves(), {.ranks = 2}, {}).hash(), 0x4174a59cc4eef897ULL);
}

TEST(Plan, HashesOfRandomPlansDoNotCollide) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const RandomProblem problem = testing::random_problem(seed, 60, 6);
    hashes.insert(plan_of(problem).hash() >> 20);
  }
  EXPECT_GE(hashes.size(), 1998u);  // small problems may happen to be equal
}

TEST(Plan, SolveGivesARankToEveryToken) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({100, 30, 7}));
  for (const std::int32_t ranks : {1, 3, 8, 200}) {
    const Plan plan = solve(mask, {.ranks = ranks}, {.dispatch = Dispatch::contiguous});
    std::int64_t tokens = 0;
    for (const RankLoad& load : plan.loads()) tokens += load.tokens;
    EXPECT_EQ(tokens, 137);
    EXPECT_EQ(plan.hash(), solve(mask, {.ranks = ranks}, {.dispatch = Dispatch::contiguous}).hash());
  }
}

TEST(Plan, SaysWhatDoesNotFit) {
  testing::expect_invalid({"Plan: ranks of the placement = 2: must be those of the cluster, 3"},
                          [] { Plan(causal_8(), halves(), {.ranks = 3}, {}); });
  testing::expect_invalid({"Plan: placement of 8 queries and 8 keys: must have the mask's totals, 8 and 9"},
                          [] { Plan(Mask::from_slices(8, 9, {}), halves(), {.ranks = 2}, {}); });
  testing::expect_invalid({"Plan: stages = -1: must be"},
                          [] { Plan(causal_8(), halves(), {.ranks = 2}, {.stages = -1}); });
  testing::expect_invalid({"solve: ranks = 0: must be at least 1"}, [] { solve(causal_8(), {.ranks = 0}); });
  testing::expect_invalid({"solve: heads_q = 64: must be a multiple of heads_kv = 7"},
                          [] { solve(causal_8(), {.ranks = 2}, {.layer = {.heads_kv = 7}}); });
}

TEST(Plan, UnequalPlansOfRanksAreAnError) {
  require_equal_plans({});
  require_equal_plans(std::vector<std::uint64_t>{5, 5, 5});
  testing::expect_invalid({"require_equal_plans: hash of rank 2 = 0x1f: must be that of rank 0, 0x5"}, [] {
    require_equal_plans(std::vector<std::uint64_t>{5, 5, 31, 7});
  });
}

}  // namespace
}  // namespace caesura::solver
