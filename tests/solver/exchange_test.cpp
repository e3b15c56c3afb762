// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/exchange.hpp>
#include <support/errors.hpp>
#include <support/masks.hpp>
#include <support/plan_checker.hpp>
#include <support/random_problem.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace caesura::solver {
namespace {

using testing::Depth;
using testing::RandomProblem;

/// \p owners[i] owns tokens `[i * block, (i + 1) * block)`.
Placement blocks(std::int32_t ranks, std::int64_t block, const std::vector<std::int32_t>& owners) {
  std::vector<OwnedRange> owned;
  for (const std::int32_t owner : owners) {
    const auto begin = static_cast<std::int64_t>(owned.size()) * block;
    owned.push_back({{begin, begin + block}, owner});
  }
  return Placement::together(ranks, static_cast<std::int64_t>(owners.size()) * block, owned);
}

Mask causal(const std::vector<std::int64_t>& lengths) { return Mask::from_documents(Documents::from_lengths(lengths)); }

/// "0>1 k[0,4)[6,8)" for keys 0 to 3, 6 and 7 from rank 0 to rank 1; q: queries, o: outputs.
std::vector<std::string> shown(const Exchange& exchange, const Hop& hop) {
  std::vector<std::string> lines;
  for (const Transfer& transfer : hop) {
    std::string line = text(transfer.source, ">", transfer.target, " ", "kqo"[static_cast<int>(transfer.payload)]);
    for (const Range range : exchange.ranges(transfer)) line += text("[", range.begin, ",", range.end, ")");
    lines.push_back(line);
  }
  return lines;
}

std::string checked(const RandomProblem& problem, const Exchange& exchange) {
  return testing::joined(testing::exchange_violations({problem.mask, problem.placement, problem.cluster, exchange},
                                                      Depth::exhaustive, [&](std::int32_t rank, std::int32_t step) {
                                                        return step_slices(problem.mask, problem.placement, exchange,
                                                                           rank, step);
                                                      }));
}

Exchange exchange_of(const RandomProblem& problem) {
  return make_exchange(problem.mask, problem.placement, problem.cluster, problem.options);
}

using Lines = std::vector<std::string>;

TEST(Exchange, ZeroRedundancyMovesWhatCausalDocumentsNeed) {
  // One document of 8 tokens over three ranks, then one of 4 that rank 2 has alone.
  const Mask mask = causal({8, 4});
  const Placement placement = blocks(4, 2, {0, 1, 0, 2, 2, 2});
  const Exchange exchange = make_exchange(mask, placement, {.ranks = 4}, {.stages = 1});
  ASSERT_EQ(exchange.stages().size(), 1u);
  EXPECT_EQ(exchange.steps(), 2);
  EXPECT_EQ(shown(exchange, exchange.stages()[0][0]),
            (Lines{"1>0 k[2,4)", "0>1 k[0,2)", "0>2 k[0,2)[4,6)", "1>2 k[2,4)"}));
  EXPECT_EQ(step_slices(mask, placement, exchange, 1, 0),
            (std::vector<BandSlice>{{2, 4, 2, 4, BandSlice::unbounded_lo, 0}}));
  EXPECT_EQ(step_slices(mask, placement, exchange, 1, 1),
            (std::vector<BandSlice>{{2, 4, 0, 2, BandSlice::unbounded_lo, 0}}));
  EXPECT_TRUE(step_slices(mask, placement, exchange, 3, 0).empty());
}

TEST(Exchange, AllKindsMoveExactlyWhatTheyMustForAllKindsOfMasks) {
  for (const testing::NamedMask& named : testing::kernel_masks()) {
    testing::Random random(5);
    for (const ExchangeKind kind : all_exchanges()) {
      for (const Cluster& cluster :
           {Cluster{.ranks = 1}, Cluster{.ranks = 3}, Cluster{.ranks = 9, .ranks_per_node = 3}}) {
        const RandomProblem problem = {named.mask,
                                       testing::random_placement(random, cluster.ranks, named.mask),
                                       cluster,
                                       {.exchange = kind, .stages = static_cast<std::int32_t>(random.integer(0, 3))}};
        EXPECT_EQ(checked(problem, exchange_of(problem)), "")
            << named.name << ", " << name_of(kind) << ", ranks " << cluster.ranks;
      }
    }
  }
}

TEST(Exchange, AllKindsMoveExactlyWhatTheyMustForRandomMasksOnRandomPlacements) {
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const RandomProblem problem = testing::random_problem(seed, 60, 12);
    const Exchange exchange = exchange_of(problem);
    ASSERT_EQ(checked(problem, exchange), "") << "seed " << seed << ", " << name_of(problem.options.exchange);
  }
}

TEST(Exchange, NothingMovesWhereNothingIsNeeded) {
  const Placement placement = blocks(6, 1, {0, 1, 2, 3});
  for (const ExchangeKind kind : {ExchangeKind::zero_redundancy, ExchangeKind::hierarchical, ExchangeKind::qo}) {
    for (const Mask& mask : {Mask::from_slices(4, 4, {}), causal({1, 1, 1, 1})}) {
      const Exchange exchange =
          make_exchange(mask, placement, {.ranks = 6, .ranks_per_node = 2}, {.exchange = kind, .stages = 3});
      EXPECT_TRUE(exchange.stages().empty()) << name_of(kind);
      EXPECT_EQ(exchange.steps(), 1) << name_of(kind);
    }
  }
  const Exchange alone =
      make_exchange(causal({4}), blocks(1, 4, {0}), {.ranks = 1}, {.exchange = ExchangeKind::all_gather});
  EXPECT_TRUE(alone.stages().empty());
}

TEST(Exchange, HierarchicalSharesTheWayIntoANodeEqually) {
  // Ranks 4 to 7 of the second node all need all 4096 keys of the first node's ranks, in three pieces.
  const Mask mask = Mask::from_slices(8192, 8192, std::vector<BandSlice>{BandSlice::full({4096, 8192}, {0, 4096})});
  const Placement placement = blocks(8, 1024, {0, 1, 2, 3, 4, 5, 6, 7});
  const Exchange exchange = make_exchange(mask, placement, {.ranks = 8, .ranks_per_node = 4},
                                          {.exchange = ExchangeKind::hierarchical, .stages = 1});
  ASSERT_EQ(exchange.stages().size(), 1u);
  ASSERT_EQ(exchange.stages()[0].size(), 2u);
  EXPECT_EQ(shown(exchange, exchange.stages()[0][0]),
            (Lines{"0>4 k[0,1024)", "1>5 k[1024,2048)", "2>6 k[2048,3072)", "3>7 k[3072,4096)"}));
  const Hop& inside = exchange.stages()[0][1];
  EXPECT_EQ(inside.size(), 12u);
  EXPECT_EQ(shown(exchange, inside)[0], "5>4 k[1024,2048)");
}

TEST(Exchange, HierarchicalGivesChoicesToThoseWhoReceiveLess) {
  // Rank 2 alone needs the first 600 keys; both ranks of its node need the other 1000: rank 3 takes 800 of them.
  const Mask mask = Mask::from_slices(
      3200, 3200,
      std::vector<BandSlice>{BandSlice::full({1600, 2400}, {0, 1600}), BandSlice::full({2400, 3200}, {600, 1600})});
  const Placement placement = blocks(4, 800, {0, 1, 2, 3});
  const Exchange exchange = make_exchange(mask, placement, {.ranks = 4, .ranks_per_node = 2},
                                          {.exchange = ExchangeKind::hierarchical, .stages = 1});
  std::vector<std::int64_t> received(4);
  for (const Transfer& transfer : exchange.stages()[0][0])
    received[static_cast<std::size_t>(transfer.target)] += transfer.rows;
  EXPECT_EQ(received, (std::vector<std::int64_t>{0, 0, 800, 800}));
}

TEST(Exchange, HierarchicalIsDirectWithoutNodesOrInOneNode) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    RandomProblem problem = testing::random_problem(seed, 60, 8);
    for (const std::int32_t ranks_per_node : {1, problem.cluster.ranks}) {
      problem.cluster.ranks_per_node = ranks_per_node;
      problem.options.stages = 2;
      problem.options.exchange = ExchangeKind::hierarchical;
      const Exchange nodes = exchange_of(problem);
      problem.options.exchange = ExchangeKind::zero_redundancy;
      const Exchange direct = exchange_of(problem);
      ASSERT_TRUE(std::ranges::equal(nodes.stages(), direct.stages())) << "seed " << seed;
    }
  }
}

TEST(Exchange, AllGatherBringsEveryKeyToEveryRank) {
  const Mask mask = causal({2, 2, 2});
  const Exchange exchange = make_exchange(mask, blocks(3, 1, {0, 1, 2, 0, 1, 2}), {.ranks = 3},
                                          {.exchange = ExchangeKind::all_gather, .stages = 2});
  ASSERT_EQ(exchange.stages().size(), 2u);
  EXPECT_EQ(shown(exchange, exchange.stages()[0][0]),
            (Lines{"1>0 k[1,2)", "2>0 k[2,3)", "0>1 k[0,1)", "2>1 k[2,3)", "0>2 k[0,1)", "1>2 k[1,2)"}));
  EXPECT_EQ(shown(exchange, exchange.stages()[1][0])[0], "1>0 k[4,5)");
}

TEST(Exchange, RingPassesOnWhatCameTheStageBefore) {
  const Exchange exchange =
      make_exchange(causal({6}), blocks(3, 2, {0, 1, 2}), {.ranks = 3}, {.exchange = ExchangeKind::ring, .stages = 7});
  ASSERT_EQ(exchange.stages().size(), 2u);
  EXPECT_EQ(shown(exchange, exchange.stages()[0][0]), (Lines{"2>0 k[4,6)", "0>1 k[0,2)", "1>2 k[2,4)"}));
  EXPECT_EQ(shown(exchange, exchange.stages()[1][0]), (Lines{"2>0 k[2,4)", "0>1 k[4,6)", "1>2 k[0,2)"}));
}

TEST(Exchange, QueriesGoToTheKeysWhereThatIsCheaper) {
  // Two queries of rank 1 see 100 keys of rank 0: with as many bytes a row of each kind, 2 rows there and 2 back are fewer.
  const Mask mask = Mask::from_slices(200, 200, std::vector<BandSlice>{BandSlice::full({150, 152}, {0, 102})});
  const Placement placement = blocks(2, 100, {0, 1});
  Cluster slow = {.ranks = 2};
  slow.across_nodes.bytes_per_second = 1e6;
  const Options options = {.exchange = ExchangeKind::qo, .layer = {.heads_q = 4, .heads_kv = 4}};
  const Exchange exchange = make_exchange(mask, placement, slow, options);
  ASSERT_EQ(exchange.stages().size(), 2u);
  EXPECT_EQ(exchange.steps(), 2);
  EXPECT_EQ(shown(exchange, exchange.stages()[0][0]), (Lines{"1>0 q[150,152)"}));
  EXPECT_EQ(shown(exchange, exchange.stages()[1][0]), (Lines{"0>1 o[150,152)"}));
  EXPECT_EQ(step_slices(mask, placement, exchange, 1, 0),
            (std::vector<BandSlice>{BandSlice::full({150, 152}, {100, 102})}));
  EXPECT_EQ(step_slices(mask, placement, exchange, 0, 1),
            (std::vector<BandSlice>{BandSlice::full({150, 152}, {0, 100})}));
  EXPECT_TRUE(step_slices(mask, placement, exchange, 1, 1).empty());
  EXPECT_EQ(shown(exchange.transposed(), exchange.transposed().stages()[0][0]), (Lines{"1>0 o[150,152)"}));
}

TEST(Exchange, QueriesGoToIdleRanksWhereThatShortensTheStep) {
  // Rank 1 computes all pairs, half of them on keys of rank 0. Eight query heads a key head: moving queries costs bytes.
  const Mask mask = Mask::from_slices(2000, 2000, std::vector<BandSlice>{BandSlice::full({1000, 2000}, {0, 2000})});
  const Exchange exchange =
      make_exchange(mask, blocks(2, 1000, {0, 1}), {.ranks = 2, .compute = {.forward_flops = 1e12}},
                    {.exchange = ExchangeKind::qo, .stages = 1});
  ASSERT_EQ(exchange.stages().size(), 2u);
  EXPECT_EQ(shown(exchange, exchange.stages()[0][0]), (Lines{"1>0 q[1000,2000)"}));
}

TEST(Exchange, QueriesSaveBytesWhereNobodyGetsSlowerThanTheSlowest) {
  // Rank 2 alone computes for longest: what ranks 0 and 1 do only has to take no longer.
  const std::vector<BandSlice> slices = {BandSlice::full({150, 152}, {0, 102}),
                                         BandSlice::full({200, 300}, {200, 300})};
  const Options options = {.exchange = ExchangeKind::qo, .stages = 1, .layer = {.heads_q = 4, .heads_kv = 4}};
  const Exchange exchange = make_exchange(Mask::from_slices(300, 300, slices), blocks(3, 100, {0, 1, 2}),
                                          {.ranks = 3, .compute = {.forward_flops = 1e9, .tile = {1, 1}}}, options);
  ASSERT_EQ(exchange.stages().size(), 2u);
  EXPECT_EQ(shown(exchange, exchange.stages()[0][0]), (Lines{"1>0 q[150,152)"}));
}

TEST(Exchange, TransposedTwiceIsTheSame) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Exchange exchange = exchange_of(testing::random_problem(seed, 60, 8));
    ASSERT_EQ(exchange.transposed().transposed(), exchange) << "seed " << seed;
    ASSERT_EQ(exchange.transposed().steps(), exchange.steps()) << "seed " << seed;
  }
}

TEST(Exchange, WorksForThousandsOfRanks) {
  const std::int32_t ranks = 4096;
  const Mask mask = causal(std::vector<std::int64_t>(300, 7000));
  std::vector<OwnedRange> owned;
  for (std::int32_t rank = 0; rank < ranks; ++rank)
    owned.push_back({{mask.total_q() * rank / ranks, mask.total_q() * (rank + 1) / ranks}, rank});
  const Placement placement = Placement::together(ranks, mask.total_q(), owned);
  const Cluster cluster = {.ranks = ranks, .ranks_per_node = 8};
  for (const ExchangeKind kind : {ExchangeKind::zero_redundancy, ExchangeKind::hierarchical, ExchangeKind::qo}) {
    const Exchange exchange = make_exchange(mask, placement, cluster, {.exchange = kind});
    EXPECT_EQ(testing::joined(testing::exchange_violations({mask, placement, cluster, exchange}, Depth::fast)), "")
        << name_of(kind);
  }
}

TEST(Exchange, SaysWhatDoesNotFit) {
  const Mask mask = causal({8});
  const Placement placement = blocks(2, 4, {0, 1});
  const Cluster cluster = {.ranks = 2};
  const Exchange exchange = make_exchange(mask, placement, cluster, {});
  testing::expect_invalid({"make_exchange: ranks of the placement = 2: must be those of the cluster, 3"},
                          [&] { make_exchange(mask, placement, {.ranks = 3}, {}); });
  testing::expect_invalid({"make_exchange: placement of 8 queries and 8 keys: must have the mask's totals, 9 and 9"},
                          [&] { make_exchange(causal({9}), placement, cluster, {}); });
  testing::expect_invalid({"make_exchange: stages = -1"},
                          [&] { make_exchange(mask, placement, cluster, {.stages = -1}); });
  testing::expect_invalid({"make_exchange: ranks_per_node = 3: must divide ranks = 2"},
                          [&] { make_exchange(mask, placement, {.ranks = 2, .ranks_per_node = 3}, {}); });
  testing::expect_invalid({"step_slices: rank = 2: must be below ranks = 2"},
                          [&] { step_slices(mask, placement, exchange, 2, 0); });
  testing::expect_invalid({"step_slices: step = 2: must be below steps = 2"},
                          [&] { step_slices(mask, placement, exchange, 0, 2); });
  testing::expect_invalid({"Exchange: transfer from 1 to 1"},
                          [] { Exchange(ExchangeKind::ring, {{{{.source = 1, .target = 1}}}}, {}); });
  testing::expect_invalid({"Exchange: transfer from 0 to 1, ranges [0, 2): must", "lie within 1 ranges"}, [] {
    Exchange(ExchangeKind::ring, {{{{.target = 1, .count = 2, .rows = 2}}}}, {{0, 2}});
  });
}

}  // namespace
}  // namespace caesura::solver
