// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/placement.hpp>
#include <support/errors.hpp>
#include <support/masks.hpp>
#include <support/pairs.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace caesura::solver {
namespace {

using testing::expect_invalid;
using testing::pairs_of;
using testing::Random;

/// One owner a row, pieces of a few rows in any order.
std::vector<std::int32_t> random_owners(Random& random, std::int64_t total, std::int32_t ranks) {
  std::vector<std::int32_t> owners;
  while (static_cast<std::int64_t>(owners.size()) < total) {
    const auto rank = static_cast<std::int32_t>(random.integer(0, ranks - 1));
    for (std::int64_t rows = random.integer(1, 6); rows > 0; --rows) owners.push_back(rank);
  }
  owners.resize(static_cast<std::size_t>(total));
  return owners;
}

/// Runs of equal owners, cut at random places too, shuffled, with some empty ranges.
std::vector<OwnedRange> pieces_of(Random& random, const std::vector<std::int32_t>& owners) {
  std::vector<OwnedRange> pieces;
  for (std::size_t row = 0; row < owners.size(); ++row) {
    const auto begin = static_cast<std::int64_t>(row);
    if (pieces.empty() || pieces.back().rank != owners[row] || random.chance(0.2)) {
      pieces.push_back({{begin, begin}, owners[row]});
    }
    pieces.back().rows.end = begin + 1;
  }
  if (random.chance(0.5)) pieces.push_back({{3, 3}, 0});
  for (std::size_t i = pieces.size(); i > 1; --i) {
    std::swap(pieces[i - 1], pieces[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(i) - 1))]);
  }
  return pieces;
}

void expect_owners(std::span<const OwnedRange> owned, const std::vector<std::int32_t>& owners) {
  std::int64_t next = 0;
  std::int32_t before = -1;
  for (const OwnedRange& piece : owned) {
    ASSERT_EQ(piece.rows.begin, next);
    ASSERT_LT(piece.rows.begin, piece.rows.end);
    ASSERT_NE(piece.rank, before) << "not merged at row " << next;
    for (; next < piece.rows.end; ++next)
      ASSERT_EQ(piece.rank, owners[static_cast<std::size_t>(next)]) << "row " << next;
    before = piece.rank;
  }
  ASSERT_EQ(next, static_cast<std::int64_t>(owners.size()));
}

TEST(Placement, PiecesInAnyOrderBecomeOneListByRow) {
  const Placement placement =
      Placement::together(3, 10, {{{6, 10}, 0}, {{0, 2}, 1}, {{4, 6}, 2}, {{2, 4}, 1}, {{4, 4}, 0}});
  EXPECT_EQ(placement.ranks(), 3);
  EXPECT_TRUE(placement.together());
  EXPECT_EQ(placement.total_q(), 10);
  EXPECT_EQ(placement.total_k(), 10);
  expect_owners(placement.queries(), {1, 1, 1, 1, 2, 2, 0, 0, 0, 0});
  expect_owners(placement.keys(), {1, 1, 1, 1, 2, 2, 0, 0, 0, 0});
  EXPECT_EQ(placement.queries_of(1), RangeSet({{0, 4}}));
  EXPECT_EQ(placement.keys_of(0), RangeSet({{6, 10}}));
}

TEST(Placement, QueriesAndKeysApartHaveTheirOwnOwners) {
  const Placement placement = Placement::apart(2, 4, {{{0, 3}, 0}, {{3, 4}, 1}}, 6, {{{2, 6}, 0}, {{0, 2}, 1}});
  EXPECT_FALSE(placement.together());
  EXPECT_EQ(placement.total_q(), 4);
  EXPECT_EQ(placement.total_k(), 6);
  EXPECT_EQ(placement.queries_of(0), RangeSet({{0, 3}}));
  EXPECT_EQ(placement.keys_of(0), RangeSet({{2, 6}}));
  EXPECT_EQ(placement.keys_of(1), RangeSet({{0, 2}}));
}

TEST(Placement, MoreRanksThanTokensLeavesSomeWithoutAny) {
  const Placement placement = Placement::together(5, 2, {{{0, 1}, 4}, {{1, 2}, 0}});
  EXPECT_TRUE(placement.queries_of(2).empty());
  EXPECT_EQ(placement.queries_of(4), RangeSet({{0, 1}}));
  EXPECT_EQ(Placement::together(3, 0, {}).total_q(), 0);
}

TEST(Placement, RandomPiecesKeepEveryOwner) {
  constexpr std::uint64_t seed = 403;
  Random random(seed);
  for (int i = 0; i < 3'000 && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(text("seed ", seed, " draw ", i));
    const auto ranks = static_cast<std::int32_t>(random.integer(1, 5));
    const auto queries = random_owners(random, random.integer(4, 30), ranks);
    const auto keys = random_owners(random, random.integer(4, 30), ranks);
    const auto total_q = static_cast<std::int64_t>(queries.size()), total_k = static_cast<std::int64_t>(keys.size());
    const Placement together = Placement::together(ranks, total_q, pieces_of(random, queries));
    expect_owners(together.queries(), queries);
    EXPECT_EQ(together, Placement::together(ranks, total_q, pieces_of(random, queries)));
    const Placement apart =
        Placement::apart(ranks, total_q, pieces_of(random, queries), total_k, pieces_of(random, keys));
    expect_owners(apart.queries(), queries);
    expect_owners(apart.keys(), keys);
  }
}

TEST(Placement, RowsWithoutOneOwnerAreErrors) {
  using Pieces = std::vector<OwnedRange>;
  const auto together = [](Pieces pieces) { Placement::together(2, 8, std::move(pieces)); };
  expect_invalid({"Placement: token 3: has no owner, must have one"}, [&] { together({{{0, 3}, 0}, {{5, 8}, 1}}); });
  expect_invalid({"Placement: token 0: has no owner"}, [&] { together({{{1, 8}, 0}}); });
  expect_invalid({"Placement: token 7: has no owner"}, [&] { together({{{0, 7}, 0}}); });
  expect_invalid({"Placement: token 0: has no owner"}, [&] { together({}); });
  expect_invalid({"Placement: token 4: has two owners, must have one"}, [&] { together({{{0, 5}, 0}, {{4, 8}, 1}}); });
  expect_invalid({"Placement: token 0: has two owners"}, [&] { together({{{0, 8}, 0}, {{0, 8}, 0}}); });
  expect_invalid({"Placement: token 8: must be below 8"}, [&] { together({{{0, 9}, 0}}); });
  expect_invalid({"Placement: owner of token 4 = 2: must be below ranks = 2"}, [&] {
    together({{{0, 4}, 0}, {{4, 8}, 2}});
  });
  expect_invalid({"Placement: owner of token 0 = -1:"}, [&] { together({{{0, 8}, -1}}); });
  expect_invalid({"Placement: ranks = 0: must be at least 1"}, [] { Placement::together(0, 0, {}); });
  expect_invalid({"Placement: query 1: has no owner"}, [] { Placement::apart(1, 2, {{{0, 1}, 0}}, 1, {{{0, 1}, 0}}); });
  expect_invalid({"Placement: key 1: has two owners"}, [] {
    Placement::apart(1, 1, {{{0, 1}, 0}}, 2, {{{0, 2}, 0}, {{1, 2}, 0}});
  });
}

TEST(Placement, SlicesByRankAndRestrictedKeepEveryPair) {
  constexpr std::uint64_t seed = 404;
  Random random(seed);
  for (int i = 0; i < 2'000 && !::testing::Test::HasFailure(); ++i) {
    const std::int64_t total_q = random.integer(1, 24), total_k = random.integer(1, 24);
    const Mask mask = testing::random_rectangles(total_q, total_k, random.integer(1, 8), static_cast<std::uint64_t>(i));
    const auto ranks = static_cast<std::int32_t>(random.integer(1, 4));
    const auto queries = random_owners(random, total_q, ranks), keys = random_owners(random, total_k, ranks);
    const Placement placement =
        Placement::apart(ranks, total_q, pieces_of(random, queries), total_k, pieces_of(random, keys));
    SCOPED_TRACE(text("seed ", seed, " draw ", i, ", ", ranks, " ranks:", testing::describe(mask.slices())));
    const testing::Pairs all = pairs_of(mask);
    const auto by_rank = slices_by_rank(mask, placement);
    ASSERT_EQ(by_rank.size(), static_cast<std::size_t>(ranks));
    for (std::int32_t rank = 0; rank < ranks; ++rank) {
      const auto& own = by_rank[static_cast<std::size_t>(rank)];
      testing::Pairs expected(total_q, total_k), local(total_q, total_k);
      std::vector<bool> seen(static_cast<std::size_t>(total_k), false);
      for (std::int64_t q = 0; q < total_q; ++q) {
        if (queries[static_cast<std::size_t>(q)] != rank) continue;
        for (std::int64_t k = 0; k < total_k; ++k) {
          if (all.count(q, k) == 0) continue;
          expected.add(q, k);
          seen[static_cast<std::size_t>(k)] = true;
          if (keys[static_cast<std::size_t>(k)] == rank) local.add(q, k);
        }
      }
      ASSERT_EQ(pairs_of(total_q, total_k, own), expected) << "rank " << rank << testing::describe(own);
      for (const BandSlice& slice : own) EXPECT_EQ(slice, slice.tight()) << testing::describe(slice);
      const auto own_pairs = restricted(mask.slices(), placement.queries_of(rank), placement.keys_of(rank));
      ASSERT_EQ(pairs_of(total_q, total_k, own_pairs), local) << "rank " << rank << testing::describe(own_pairs);
      for (const BandSlice& slice : own_pairs) EXPECT_FALSE(slice.empty()) << testing::describe(slice);
      const RangeSet set = keys_seen(own);
      for (std::int64_t k = 0; k < total_k; ++k)
        ASSERT_EQ(set.contains(k), seen[static_cast<std::size_t>(k)]) << "key " << k;
    }
  }
}

}  // namespace
}  // namespace caesura::solver
