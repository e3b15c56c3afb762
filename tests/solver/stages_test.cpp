// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/exchange.hpp>
#include <caesura/solver/plan.hpp>
#include <support/random_problem.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace caesura::solver {
namespace {

using testing::RandomProblem;

Placement contiguous(std::int32_t ranks, std::int64_t total) {
  std::vector<OwnedRange> owned;
  for (std::int32_t rank = 0; rank < ranks; ++rank)
    owned.push_back({{total * rank / ranks, total * (rank + 1) / ranks}, rank});
  return Placement::together(ranks, total, owned);
}

Mask full(std::int64_t length) {
  return Mask::from_documents(Documents::from_lengths({length}), {.kind = MaskKind::full});
}

/// Rows that \p rank receives in each stage.
std::vector<std::int64_t> received(const Exchange& exchange, std::int32_t rank) {
  std::vector<std::int64_t> rows;
  for (const Stage& stage : exchange.stages()) {
    rows.push_back(0);
    for (const Hop& hop : stage) {
      for (const Transfer& transfer : hop) rows.back() += transfer.target == rank ? transfer.rows : 0;
    }
  }
  return rows;
}

TEST(Stages, BringEqualPartsToEveryRank) {
  const Mask mask = full(1000);
  const Placement placement = contiguous(5, 1000);
  for (std::int32_t stages = 1; stages <= 9; ++stages) {
    const Exchange exchange = make_exchange(mask, placement, {.ranks = 5}, {.stages = stages});
    ASSERT_EQ(exchange.stages().size(), static_cast<std::size_t>(stages));
    for (std::int32_t rank = 0; rank < 5; ++rank) {
      const auto rows = received(exchange, rank);
      const auto [least, most] = std::ranges::minmax(rows);
      EXPECT_LE(most - least, 1) << stages << " stages, rank " << rank;
    }
  }
}

TEST(Stages, SpreadWhatASenderHasToSend) {
  // Everybody needs everything: in each of 4 stages a rank also sends a fourth.
  const Exchange exchange = make_exchange(full(900), contiguous(9, 900), {.ranks = 9}, {.stages = 4});
  for (const Stage& stage : exchange.stages()) {
    std::vector<std::int64_t> sent(9);
    for (const Transfer& transfer : stage[0]) sent[static_cast<std::size_t>(transfer.source)] += transfer.rows;
    EXPECT_EQ(sent, std::vector<std::int64_t>(9, 200));
  }
}

TEST(Stages, CutFewTransfers) {
  const Mask mask = full(6400);
  std::vector<OwnedRange> owned;  // 8 chunks a rank, all over
  for (std::int32_t chunk = 0; chunk < 128; ++chunk) owned.push_back({{chunk * 50, (chunk + 1) * 50}, chunk * 7 % 16});
  const Placement placement = Placement::together(16, 6400, owned);
  const Exchange exchange = make_exchange(mask, placement, {.ranks = 16}, {.stages = 4});
  std::size_t transfers = 0;
  for (const Stage& stage : exchange.stages()) transfers += stage[0].size();
  EXPECT_LE(transfers, 16u * 15 + 16 * 3);  // whole ones, and one more at each of a rank's three cuts
}

TEST(Stages, BringTheSameRowsWhateverTheirNumber) {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    RandomProblem problem = testing::random_problem(seed, 80, 9);
    if (problem.options.exchange == ExchangeKind::ring) continue;
    const auto rows_of_pairs = [&](std::int32_t stages) {
      problem.options.stages = stages;
      const Exchange exchange = make_exchange(problem.mask, problem.placement, problem.cluster, problem.options);
      EXPECT_TRUE(std::ranges::none_of(exchange.stages(), [](const Stage& stage) { return stage[0].empty(); }));
      std::map<std::tuple<std::size_t, std::int32_t, std::int32_t, Payload>, RangeSet> result;
      for (const Stage& stage : exchange.stages()) {
        for (std::size_t hop = 0; hop < stage.size(); ++hop) {
          for (const Transfer& transfer : stage[hop]) {
            const auto ranges = exchange.ranges(transfer);
            RangeSet& rows = result[{hop, transfer.source, transfer.target, transfer.payload}];
            const RangeSet more({ranges.begin(), ranges.end()});
            EXPECT_TRUE(intersect(rows, more).empty());
            rows = unite(rows, more);
          }
        }
      }
      return result;
    };
    const auto whole = rows_of_pairs(1);
    for (const std::int32_t stages : {2, 3, 7, 1'000'000'000}) {
      ASSERT_EQ(rows_of_pairs(stages), whole) << "seed " << seed << ", stages " << stages;
    }
  }
}

TEST(Stages, PartialOutputsGoHomeTwoStagesBehindTheirQueries) {
  int early = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    RandomProblem problem = testing::random_problem(seed, 80, 9);
    problem.options.exchange = ExchangeKind::qo;
    problem.options.stages = 4;
    const Exchange exchange = make_exchange(problem.mask, problem.placement, problem.cluster, problem.options);
    std::map<std::tuple<std::int32_t, std::int32_t, std::int64_t>, std::size_t> came;
    const std::size_t stages = exchange.stages().size();
    for (std::size_t i = 0; i < stages; ++i) {
      const bool computes = static_cast<std::int32_t>(i) + 1 < exchange.steps();
      for (const Transfer& transfer : exchange.stages()[i][0]) {
        for (const Range range : exchange.ranges(transfer)) {
          for (std::int64_t row = range.begin; row < range.end; ++row) {
            if (transfer.payload == Payload::queries) came[{transfer.source, transfer.target, row}] = i;
            if (transfer.payload != Payload::outputs) continue;
            const std::size_t since = came.at({transfer.target, transfer.source, row});
            ASSERT_GE(i, since + (computes ? 2 : 1)) << "seed " << seed;
            early += computes;
          }
        }
      }
    }
  }
  EXPECT_GT(early, 100);
}

/// The number of stages that the cost model chooses for two ranks which each need all keys of the other.
std::size_t chosen(double flops, double bytes_per_second, double latency, double step_seconds) {
  Cluster cluster = {.ranks = 2};
  cluster.across_nodes = {.bytes_per_second = bytes_per_second, .latency_seconds = latency};
  cluster.compute.forward_flops = flops;
  cluster.compute.tile = {1, 1};
  cluster.compute.step_seconds = step_seconds;
  return make_exchange(full(2048), contiguous(2, 2048), cluster, {}).stages().size();
}

TEST(Stages, AsManyAsPayByTheCostModel) {
  // A rank computes 34.4 GFLOP on its own keys and as many on those that come; it receives 4 MiB.
  const double flops = 137.4e9, bytes = 2.1e6;  // a fourth of a second twice, beside two seconds of transfers
  EXPECT_EQ(chosen(1e12, 1e12, 0, 0), 1u);      // the transfer hides behind the first step anyway
  EXPECT_EQ(chosen(flops, bytes, 0, 0), 8u);    // an eighth of the last step stays bare
  EXPECT_EQ(chosen(flops, bytes, 0, 0.3), 5u);  // steps hide too, until they are longer than what comes beside them
  EXPECT_EQ(chosen(flops, bytes, 0, 2), 1u);    // dear steps
  EXPECT_EQ(chosen(flops, bytes, 0.9, 0), 1u);  // dear messages
}

}  // namespace
}  // namespace caesura::solver
