// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/dispatch.hpp>
#include <support/errors.hpp>
#include <support/masks.hpp>
#include <support/pairs.hpp>
#include <support/plan_checker.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace caesura::solver {
namespace {

using testing::expect_invalid;
using testing::Random;

Mask causal(std::initializer_list<std::int64_t> lengths) {
  return Mask::from_documents(Documents::from_lengths(lengths));
}

/// The rows of each rank, one by one.
std::vector<std::vector<std::int64_t>> rows_of(const Placement& placement) {
  std::vector<std::vector<std::int64_t>> rows(static_cast<std::size_t>(placement.ranks()));
  for (const OwnedRange& piece : placement.queries()) {
    for (std::int64_t row = piece.rows.begin; row < piece.rows.end; ++row) {
      rows[static_cast<std::size_t>(piece.rank)].push_back(row);
    }
  }
  return rows;
}

TEST(TokenCap, IsTheShareRoundedUpWithWhatTheSlackAllows) {
  EXPECT_EQ(token_cap(12, 3, 0), 4);
  EXPECT_EQ(token_cap(13, 3, 0), 5);
  EXPECT_EQ(token_cap(2, 5, 0), 1);
  EXPECT_EQ(token_cap(0, 5, 0.5), 0);
  // ceil(tokens / ranks * (1 + token_slack)).
  EXPECT_EQ(token_cap(100, 4, 0.05), 27);
  EXPECT_EQ(token_cap(100, 4, 0.2), 30);
  EXPECT_EQ(token_cap(40, 4, 0.1), 11);
  EXPECT_EQ(token_cap(10, 9, 0.5), 2);
  EXPECT_EQ(token_cap(std::int64_t{1} << 31, 4096, 0.05), 550503);
}

TEST(Dispatch, ContiguousGivesEachRankItsPartOfTheRows) {
  const Options options = {.dispatch = Dispatch::contiguous};
  const auto rows = rows_of(dispatch(causal({5, 4, 1}), {.ranks = 4}, options));
  EXPECT_EQ(rows, (std::vector<std::vector<std::int64_t>>{{0, 1}, {2, 3, 4}, {5, 6}, {7, 8, 9}}));
}

TEST(Dispatch, HeadTailGivesEachRankTwoPartsOfEveryDocument) {
  const Options options = {.dispatch = Dispatch::head_tail};
  const auto rows = rows_of(dispatch(causal({8, 4}), {.ranks = 2}, options));
  EXPECT_EQ(rows, (std::vector<std::vector<std::int64_t>>{{0, 1, 6, 7, 8, 11}, {2, 3, 4, 5, 9, 10}}));
  const auto three = rows_of(dispatch(causal({12}), {.ranks = 3}, options));
  EXPECT_EQ(three, (std::vector<std::vector<std::int64_t>>{{0, 1, 10, 11}, {2, 3, 8, 9}, {4, 5, 6, 7}}));
  // 7 tokens on 2 ranks lose none.
  const auto odd = rows_of(dispatch(causal({7}), {.ranks = 2}, options));
  EXPECT_EQ(std::min(odd[0].size(), odd[1].size()), 3u);
  EXPECT_EQ(std::max(odd[0].size(), odd[1].size()), 4u);
}

class EveryDispatch : public ::testing::TestWithParam<Dispatch> {
 protected:
  Options options(double slack = 0) const { return {.dispatch = GetParam(), .token_slack = slack}; }
  void expect_valid(const Mask& mask, std::int32_t ranks, double slack) const {
    const std::string name = text(mask.total_q(), " tokens, ", ranks, " ranks, slack ", slack);
    const Cluster cluster = {.ranks = ranks};
    // `exact` has at least a chunk for each rank, or for each token: more than it can try at once.
    if (GetParam() == Dispatch::exact && std::min<std::int64_t>(ranks, mask.total_q()) > 9) return;
    try {
      const Placement placement = dispatch(mask, cluster, options(slack));
      const auto found = testing::placement_violations(mask, placement, cluster, options(slack));
      EXPECT_TRUE(found.empty()) << name << testing::joined(found);
      EXPECT_EQ(placement.together(), mask.total_q() == mask.total_k()) << name;
    } catch (const Error& error) {
      ADD_FAILURE() << name << " throws: " << error.what();
    }
  }
};

TEST_P(EveryDispatch, HoldsTheCapForAnyLengthAndRanks) {
  for (const std::int32_t ranks : {1, 2, 3, 5, 7, 8, 16}) {
    for (const double slack : {0.0, 0.05, 0.25, 1.0}) {
      for (const std::int64_t length : {1, 2, 11, 17, 128, 240, 1001}) expect_valid(causal({length}), ranks, slack);
      expect_valid(causal({1, 1, 1}), ranks, slack);
      expect_valid(causal({300, 0, 20, 20, 1, 0, 55}), ranks, slack);
      expect_valid(Mask::from_documents(Documents::from_lengths({400, 90}), {.window = {30, 0}}), ranks, slack);
      expect_valid(Mask::from_documents(Documents::from_lengths({100, 90}), {.kind = MaskKind::full}), ranks, slack);
    }
  }
}

TEST_P(EveryDispatch, TakesMoreRanksThanTokensAndDocuments) {
  for (const std::int32_t ranks : {10, 33, 100}) {
    expect_valid(causal({9}), ranks, 0);
    expect_valid(causal({1}), ranks, 0);
    expect_valid(causal({3, 2, 2}), ranks, 0);
    expect_valid(causal({200, 100}), ranks, 0);
  }
}

TEST_P(EveryDispatch, TakesEveryKernelMask) {
  for (const testing::NamedMask& named : testing::kernel_masks()) {
    if (named.mask.slices().empty()) continue;
    SCOPED_TRACE(named.name);
    for (const std::int32_t ranks : {1, 2, 4, 5}) expect_valid(named.mask, ranks, 0);
  }
}

TEST_P(EveryDispatch, GivesTheSamePlacementEveryTime) {
  const Mask mask = causal({700, 20, 130, 44, 6, 12, 300});
  EXPECT_EQ(dispatch(mask, {.ranks = 4}, options()), dispatch(mask, {.ranks = 4}, options()));
}

TEST_P(EveryDispatch, DealsKeysOfCrossAttentionInEqualSharesToRanksThatNeedThem) {
  const Mask mask = Mask::from_documents(
      Documents::from_lengths(std::vector<std::int64_t>{40, 30, 50}, std::vector<std::int64_t>{90, 10, 60}),
      {.kind = MaskKind::full});
  for (const std::int32_t ranks : {2, 3, 4}) {
    const Placement placement = dispatch(mask, {.ranks = ranks}, options());
    ASSERT_FALSE(placement.together());
    const auto needs = [&](std::int32_t rank, std::int64_t k) {
      for (const OwnedRange& queries : placement.queries()) {
        for (std::int64_t q = queries.rows.begin; q < queries.rows.end; ++q) {
          if (queries.rank == rank && mask.visible(q, k)) return true;
        }
      }
      return false;
    };
    for (std::int32_t rank = 0; rank < ranks; ++rank) {
      EXPECT_GE(placement.keys_of(rank).size(), mask.total_k() / ranks) << rank;
      EXPECT_LE(placement.keys_of(rank).size(), mask.total_k() / ranks + 1) << rank;
    }
    for (const OwnedRange& keys : placement.keys()) {
      for (std::int64_t k = keys.rows.begin; k < keys.rows.end; ++k) {
        if (needs(keys.rank, k)) continue;
        // Only where nobody who needs it could have had it instead of a key of no use.
        for (const OwnedRange& other : placement.keys()) {
          if (!needs(other.rank, k)) continue;
          for (std::int64_t useless = other.rows.begin; useless < other.rows.end; ++useless) {
            EXPECT_TRUE(needs(other.rank, useless))
                << ranks << " ranks: key " << k << " lives on rank " << keys.rank << ", key " << useless << " on rank "
                << other.rank << ": both would like to change";
          }
        }
      }
    }
  }
}

TEST_P(EveryDispatch, WrongInputSaysWhatIsWrong) {
  const Mask mask = causal({8, 8});
  const auto with = [&](const Cluster& cluster, Options options) {
    options.dispatch = GetParam();
    return [&mask, cluster, options] { dispatch(mask, cluster, options); };
  };
  expect_invalid({"dispatch: ranks = 0: must be at least 1"}, with({.ranks = 0}, {}));
  expect_invalid({"dispatch: ranks_per_node = 3: must divide ranks = 8"}, with({.ranks = 8, .ranks_per_node = 3}, {}));
  expect_invalid({"dispatch: token_slack = -0.1: must be from 0 to 1"}, with({.ranks = 2}, {.token_slack = -0.1}));
  expect_invalid({"dispatch: token_slack = nan:"},
                 with({.ranks = 2}, {.token_slack = std::numeric_limits<double>::quiet_NaN()}));
  expect_invalid({"dispatch: tolerance = 2: must be from 0 to 1"}, with({.ranks = 2}, {.tolerance = 2}));
  expect_invalid({"dispatch: chunk = -1: must be 0 (automatic) or more"}, with({.ranks = 2}, {.chunk = -1}));
  expect_invalid({"dispatch: top_p = 0: must be above 0 and at most 1"}, with({.ranks = 2}, {.top_p = 0}));
  expect_invalid({"dispatch: stages = -1: must be 0 (automatic) or more"}, with({.ranks = 2}, {.stages = -1}));
  expect_invalid({"dispatch: passes = {0, 0}: must not be negative, and not both 0"},
                 with({.ranks = 2}, {.passes = {.forward = 0, .backward = 0}}));
  expect_invalid({"dispatch: heads_q = 32: must be a multiple of heads_kv = 7"},
                 with({.ranks = 2}, {.layer = {.heads_q = 32, .heads_kv = 7}}));
  const Mask nothing = Mask::from_slices(8, 8, {});
  expect_invalid({"dispatch: mask: has no visible pair, must have at least one"},
                 [&] { dispatch(nothing, {.ranks = 2}, options()); });
}

INSTANTIATE_TEST_SUITE_P(AllDispatches, EveryDispatch,
                         ::testing::ValuesIn(all_dispatches().begin(), all_dispatches().end()),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

TEST(Dispatch, ExactRefusesWhatIsTooLarge) {
  testing::expect_error(ErrorKind::resources,
                        {"dispatch: exact: ", " chunks of about 16 rows on 64 ranks: must be at most "},
                        [] { dispatch(causal({100'000}), {.ranks = 64}, {.dispatch = Dispatch::exact, .chunk = 16}); });
  testing::expect_error(ErrorKind::resources,
                        {"dispatch: exact: 64 chunks, one for each of 64 ranks: must be at most 24"},
                        [] { dispatch(causal({100'000}), {.ranks = 64}, {.dispatch = Dispatch::exact}); });
}

TEST(Dispatch, BalancedTakesNoTolerance) {
  const Mask mask = causal({9000, 500, 3000, 77, 1, 2000, 640, 1300});
  const Cluster cluster = {.ranks = 4};
  const Options options = {.tolerance = 0};
  const Placement placement = dispatch(mask, cluster, options);
  EXPECT_TRUE(testing::placement_violations(mask, placement, cluster, options).empty());
  EXPECT_LE(cost_of(mask, placement, cluster, options).max_over_mean_work, 1.02);
}

TEST(Dispatch, AListOfMasksSaysWhatIsWrongWithIt) {
  const Mask mask = causal({8, 8});
  expect_invalid({"dispatch: masks: none given, must be at least one"},
                 [] { dispatch(std::span<const WeightedMask>{}, {.ranks = 2}); });
  const std::vector<WeightedMask> totals = {{mask, 1}, {causal({8, 9}), 1}};
  expect_invalid({"dispatch: mask of 17 x 17 tokens: must have the totals of the first, 16 x 16"},
                 [&] { dispatch(totals, {.ranks = 2}); });
  const std::vector<WeightedMask> weights = {{mask, -1}};
  expect_invalid({"dispatch: weight of a mask = -1: must not be negative"}, [&] { dispatch(weights, {.ranks = 2}); });
  const std::vector<WeightedMask> none = {{mask, 0}};
  expect_invalid({"dispatch: mask: has no visible pair"}, [&] { dispatch(none, {.ranks = 2}); });
}

TEST(Dispatch, OnePlacementForSeveralMasksCountsThemByWeight) {
  const Documents documents = Documents::from_lengths({16384, 4096, 4096, 8192});
  const Mask full = Mask::from_documents(documents);
  const Mask window = Mask::from_documents(documents, {.window = {1024, 0}});
  const Cluster cluster = {.ranks = 4};
  const Options options;
  const auto seconds = [&](const Placement& placement, double full_layers, double window_layers) {
    return full_layers * cost_of(full, placement, cluster, options).step_seconds +
           window_layers * cost_of(window, placement, cluster, options).step_seconds;
  };
  const std::vector<WeightedMask> layers = {{full, 1}, {window, 8}};
  const Placement both = dispatch(layers, cluster, options);
  EXPECT_TRUE(testing::placement_violations(full, both, cluster, options).empty());
  // No worse than to plan for one of them alone and live with it.
  const double alone =
      std::min(seconds(dispatch(full, cluster, options), 1, 8), seconds(dispatch(window, cluster, options), 1, 8));
  EXPECT_LE(seconds(both, 1, 8), alone * (1 + 1e-12));
}

TEST(CostOf, CountsByDefinition) {
  constexpr std::uint64_t seed = 405;
  Random random(seed);
  for (int i = 0; i < 500 && !::testing::Test::HasFailure(); ++i) {
    const std::int64_t total = random.integer(2, 40);
    const Mask mask = testing::random_rectangles(total, total, random.integer(1, 9), static_cast<std::uint64_t>(i));
    if (mask.slices().empty()) continue;
    const Cluster cluster = {.ranks = static_cast<std::int32_t>(random.integer(1, 5)),
                             .across_nodes = {.bytes_per_second = 1e6},
                             .compute = {.forward_flops = 1e9, .tile = {1, 1}}};
    const Options options = {.dispatch = Dispatch::contiguous};
    std::vector<std::int32_t> owner;
    std::vector<OwnedRange> owned;
    for (std::int64_t row = 0; row < total; ++row) {
      owner.push_back(static_cast<std::int32_t>(random.integer(0, cluster.ranks - 1)));
      owned.push_back({{row, row + 1}, owner.back()});
    }
    const PlacementCost cost = cost_of(mask, Placement::together(cluster.ranks, total, owned), cluster, options);
    SCOPED_TRACE(text("seed ", seed, " draw ", i, ", ", cluster.ranks, " ranks", testing::describe(mask.slices())));
    const auto ranks = static_cast<std::size_t>(cluster.ranks);
    std::vector<std::int64_t> tokens(ranks, 0), pairs(ranks, 0), receive(ranks, 0), send(ranks, 0);
    for (std::int64_t row = 0; row < total; ++row)
      ++tokens[static_cast<std::size_t>(owner[static_cast<std::size_t>(row)])];
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      for (std::int64_t k = 0; k < total; ++k) {
        bool needed = false;
        for (std::int64_t q = 0; q < total; ++q) {
          if (owner[static_cast<std::size_t>(q)] != static_cast<std::int32_t>(rank) || !mask.visible(q, k)) continue;
          ++pairs[rank];
          needed = true;
        }
        const auto home = static_cast<std::size_t>(owner[static_cast<std::size_t>(k)]);
        if (!needed || home == rank) continue;
        ++receive[rank];
        ++send[home];
      }
    }
    EXPECT_EQ(cost.tokens, tokens);
    EXPECT_EQ(cost.receive_rows, receive);
    EXPECT_EQ(cost.send_rows, send);
    double most = 0, sum = 0, seconds = 0;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      EXPECT_DOUBLE_EQ(cost.work[rank], static_cast<double>(pairs[rank]));
      most = std::max(most, cost.work[rank]);
      sum += cost.work[rank];
      seconds = std::max(
          {seconds, compute_seconds(cost.work[rank], options.layer, cluster.compute, options.passes),
           transfer_seconds(std::max(receive[rank], send[rank]), options.layer, cluster.across_nodes, options.passes)});
    }
    EXPECT_NEAR(cost.max_over_mean_work, most * static_cast<double>(ranks) / sum, 1e-9);
    EXPECT_NEAR(cost.step_seconds, seconds, 1e-9 * seconds);
  }
}

}  // namespace
}  // namespace caesura::solver
