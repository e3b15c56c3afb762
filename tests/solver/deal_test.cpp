// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "dispatch/deal.hpp"

#include <caesura/error.hpp>
#include <support/pairs.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace caesura::solver::impl {
namespace {

using testing::Random;

/// Each component in random pieces on random ranks.
Deal random_deal(const Problem& problem, Random& random) {
  Deal deal(problem);
  for (std::size_t c = 0; c < problem.components().size(); ++c) {
    const Range rows = problem.components()[c].rows;
    for (std::int64_t begin = rows.begin; begin < rows.end;) {
      const std::int64_t end = random.chance(0.3) ? rows.end : random.integer(begin + 1, rows.end);
      deal.put(static_cast<std::int32_t>(c), {begin, end},
               static_cast<std::int32_t>(random.integer(0, problem.ranks() - 1)));
      begin = end;
    }
  }
  return deal;
}

/// Two ranks give each other whole pieces, their ends, or rows out of their middle.
std::vector<Move> random_moves(const Deal& deal, Random& random) {
  const std::int32_t ranks = deal.problem().ranks();
  const auto one = static_cast<std::int32_t>(random.integer(0, ranks - 1));
  const std::int32_t other = (one + static_cast<std::int32_t>(random.integer(1, ranks - 1))) % ranks;
  std::vector<Move> moves;
  for (std::size_t c = 0; c < deal.problem().components().size(); ++c) {
    for (const OwnedRange& piece : deal.pieces(static_cast<std::int32_t>(c))) {
      if ((piece.rank != one && piece.rank != other) || random.chance(0.6)) continue;
      Range rows = piece.rows;
      if (random.chance(0.4)) rows.begin = random.integer(rows.begin, rows.end - 1);
      if (random.chance(0.4)) rows.end = random.integer(rows.begin + 1, rows.end);
      moves.push_back({static_cast<std::int32_t>(c), rows, piece.rank, piece.rank == one ? other : one});
    }
  }
  return moves;
}

/// What is counted from move to move is what counting all of it anew says.
TEST(Deal, KeepsCountOfWhatMovesChange) {
  constexpr std::uint64_t seed = 907;
  Random random(seed);
  for (int i = 0; i < 300 && !::testing::Test::HasFailure(); ++i) {
    const std::vector<std::int64_t> lengths = random.lengths(6, 60);
    const Documents documents = Documents::from_lengths(lengths);
    std::vector<WeightedMask> masks;
    const DocumentMask full = {.kind = MaskKind::full};
    masks.push_back({Mask::from_documents(documents, i % 3 == 0   ? DocumentMask{}
                                                     : i % 3 == 1 ? full
                                                                  : random.rule(30)),
                     static_cast<double>(random.integer(1, 3))});
    if (random.chance(0.2)) masks.push_back({Mask::from_documents(documents, random.rule(30)), 2});
    const auto visible = [](const WeightedMask& weighted) { return !weighted.mask.slices().empty(); };
    if (std::none_of(masks.begin(), masks.end(), visible)) continue;
    const Cluster cluster = {.ranks = static_cast<std::int32_t>(random.integer(2, 6))};
    const Problem problem(masks, cluster, {});
    Deal deal = random_deal(problem, random);
    deal.count_traffic();
    for (int turn = 0; turn < 20; ++turn) {
      const std::vector<Move> moves = random_moves(deal, random);
      const double limit = static_cast<double>(random.integer(0, 100));
      const Deal::Effect effect = deal.effect(moves, limit);
      const RowTraffic before = deal.traffic();
      const double received = deal.received();
      deal.apply(moves);
      Deal anew = deal;
      anew.count_traffic();
      SCOPED_TRACE(text("seed ", seed, " draw ", i, " turn ", turn, testing::describe(masks[0].mask.slices())));
      EXPECT_EQ(deal.traffic().received, anew.traffic().received);
      EXPECT_EQ(deal.traffic().sent, anew.traffic().sent);
      EXPECT_EQ(effect.received, anew.received() - received);
      double excess = 0;
      double most = 0;
      for (std::int32_t rank = 0; rank < cluster.ranks; ++rank) {
        const std::size_t r = static_cast<std::size_t>(rank);
        excess += std::max(0.0, anew.traffic().most(rank) - limit) - std::max(0.0, before.most(rank) - limit);
        if (before.received[r] != anew.traffic().received[r] || before.sent[r] != anew.traffic().sent[r])
          most = std::max(most, anew.traffic().most(rank));
      }
      EXPECT_EQ(effect.excess, excess);
      EXPECT_EQ(effect.most, most);
    }
  }
}

}  // namespace
}  // namespace caesura::solver::impl
