// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/band_slice.hpp>
#include <caesura/documents.hpp>
#include <caesura/error.hpp>
#include <support/pairs.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

constexpr std::int64_t size = 8;

/// All pairs of a slice in a frame around everything that `Random::slice(size)` makes.
template <class Visible>
void for_each_pair(const Visible& visit) {
  for (std::int64_t q = -2; q <= size + 2; ++q) {
    for (std::int64_t k = -2; k <= size + 2; ++k) visit(q, k);
  }
}

std::int64_t count_pairs(const BandSlice& slice) {
  std::int64_t count = 0;
  for_each_pair([&](std::int64_t q, std::int64_t k) { count += in_slice(slice, q, k); });
  return count;
}

TEST(BandSlice, AgreesWithBruteForceOnRandomSlices) {
  constexpr std::uint64_t seed = 20261;
  SCOPED_TRACE(text("seed ", seed));
  Random random(seed);
  for (int i = 0; i < 150'000 && !HasFailure(); ++i) {
    const BandSlice slice = random.slice(size);
    SCOPED_TRACE(text("slice ", i, ": ", describe(slice)));
    const std::int64_t count = count_pairs(slice);
    ASSERT_EQ(slice.area(), count);
    ASSERT_EQ(slice.empty(), count == 0);
    for_each_pair([&](std::int64_t q, std::int64_t k) { ASSERT_EQ(slice.visible(q, k), in_slice(slice, q, k)); });
    for (std::int64_t q = slice.q_begin; q < slice.q_end; ++q) {
      const Range keys = slice.keys_of(q);
      for (std::int64_t k = -2; k <= size + 2; ++k) ASSERT_EQ(keys.contains(k), in_slice(slice, q, k)) << q << ' ' << k;
    }
  }
}

TEST(BandSlice, TightKeepsThePairsInTheSmallestRectangle) {
  constexpr std::uint64_t seed = 20262;
  SCOPED_TRACE(text("seed ", seed));
  Random random(seed);
  for (int i = 0; i < 100'000 && !HasFailure(); ++i) {
    const BandSlice slice = random.slice(size);
    const BandSlice tight = slice.tight();
    SCOPED_TRACE(text("slice ", i, ": ", describe(slice), " tight ", describe(tight)));
    std::vector<bool> row(size + 6), column(size + 6);
    for_each_pair([&](std::int64_t q, std::int64_t k) {
      ASSERT_EQ(in_slice(tight, q, k), in_slice(slice, q, k)) << q << ' ' << k;
      if (!in_slice(tight, q, k)) return;
      row[static_cast<std::size_t>(q + 2)] = true;
      column[static_cast<std::size_t>(k + 2)] = true;
    });
    if (tight.q().empty()) continue;
    for (std::int64_t q = tight.q_begin; q < tight.q_end; ++q) ASSERT_TRUE(row[static_cast<std::size_t>(q + 2)]) << q;
    for (std::int64_t k = tight.k_begin; k < tight.k_end; ++k) {
      ASSERT_TRUE(column[static_cast<std::size_t>(k + 2)]) << k;
    }
    ASSERT_EQ(tight.tight(), tight);
  }
}

TEST(BandSlice, TransposingExchangesQueriesAndKeys) {
  constexpr std::uint64_t seed = 20263;
  SCOPED_TRACE(text("seed ", seed));
  Random random(seed);
  for (int i = 0; i < 50'000 && !HasFailure(); ++i) {
    const BandSlice slice = random.slice(size);
    SCOPED_TRACE(describe(slice));
    ASSERT_EQ(slice.transposed().transposed(), slice);
    ASSERT_EQ(slice.transposed().area(), slice.area());
    for_each_pair([&](std::int64_t q, std::int64_t k) {
      ASSERT_EQ(slice.transposed().visible(k, q), slice.visible(q, k)) << q << ' ' << k;
    });
  }
}

TEST(BandSlice, RestrictingAndShiftingMovePairsExactly) {
  constexpr std::uint64_t seed = 20264;
  SCOPED_TRACE(text("seed ", seed));
  Random random(seed);
  for (int i = 0; i < 50'000 && !HasFailure(); ++i) {
    const BandSlice slice = random.slice(size);
    const Range queries = {random.integer(-2, size), random.integer(-2, size + 2)};
    const Range keys = {random.integer(-2, size), random.integer(-2, size + 2)};
    const std::int64_t dq = random.integer(-5, 5), dk = random.integer(-5, 5);
    SCOPED_TRACE(text(describe(slice), " queries ", queries.begin, ' ', queries.end, " keys ", keys.begin, ' ',
                      keys.end, " shift ", dq, ' ', dk));
    const BandSlice restricted = slice.restricted(queries, keys);
    const BandSlice shifted = slice.shifted(dq, dk);
    for_each_pair([&](std::int64_t q, std::int64_t k) {
      ASSERT_EQ(restricted.visible(q, k), in_slice(slice, q, k) && queries.contains(q) && keys.contains(k));
      ASSERT_EQ(shifted.visible(q + dq, k + dk), in_slice(slice, q, k)) << q << ' ' << k;
    });
    ASSERT_EQ(shifted.area(), slice.area());
    ASSERT_EQ(shifted.shifted(-dq, -dk), slice);
  }
}

TEST(BandSlice, IntersectionHoldsThePairsOfBoth) {
  constexpr std::uint64_t seed = 20265;
  SCOPED_TRACE(text("seed ", seed));
  Random random(seed);
  for (int i = 0; i < 50'000 && !HasFailure(); ++i) {
    const BandSlice a = random.slice(size), b = random.slice(size);
    SCOPED_TRACE(text(describe(a), " and ", describe(b)));
    const BandSlice both = intersect(a, b);
    for_each_pair([&](std::int64_t q, std::int64_t k) {
      ASSERT_EQ(both.visible(q, k), in_slice(a, q, k) && in_slice(b, q, k)) << q << ' ' << k;
    });
  }
}

TEST(BandSlice, NamedShapesFollowTheirDefinitions) {
  const Range q = {2, 6}, k = {1, 8};
  for (std::int64_t i = 0; i < q.size(); ++i) {
    for (std::int64_t j = 0; j < k.size(); ++j) {
      const std::int64_t query = q.begin + i, key = k.begin + j, more_keys = k.size() - q.size();
      EXPECT_TRUE(BandSlice::full(q, k).visible(query, key));
      EXPECT_EQ(BandSlice::causal(q, k).visible(query, key), j <= i + more_keys);
      EXPECT_EQ(BandSlice::causal_top_left(q, k).visible(query, key), j <= i);
      EXPECT_EQ(BandSlice::inverse_causal(q, k).visible(query, key), j >= i);
      EXPECT_EQ(BandSlice::bi_causal(q, k).visible(query, key), j >= i && j <= i + more_keys);
    }
  }
}

TEST(BandSlice, MoreQueriesThanKeysEmptyTheRowsThatAreNotAligned) {
  const Range q = {0, 5}, k = {0, 2};
  for (std::int64_t query = 0; query < 5; ++query) {
    EXPECT_EQ(BandSlice::causal(q, k).keys_of(query).empty(), query < 3) << query;
    EXPECT_EQ(BandSlice::inverse_causal(q, k).keys_of(query).empty(), query >= 2) << query;
  }
  EXPECT_TRUE(BandSlice::bi_causal(q, k).empty());
  EXPECT_EQ(BandSlice::bi_causal(q, k).area(), 0);
}

TEST(BandSlice, BiCausalOfASquareIsTheDiagonal) {
  const BandSlice slice = BandSlice::bi_causal({3, 9}, {10, 16});
  EXPECT_EQ(slice.area(), 6);
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(slice.keys_of(3 + i), (Range{10 + i, 11 + i}));
}

TEST(BandSlice, AreaIsExactAtTheLargestTotals) {
  constexpr std::int64_t n = max_tokens;
  EXPECT_EQ(BandSlice::full({0, n}, {0, n}).area(), n * n);
  EXPECT_EQ(BandSlice::causal({0, n}, {0, n}).area(), n / 2 * (n + 1));
  EXPECT_EQ(BandSlice::causal({0, n - 1}, {0, n - 1}).area(), n / 2 * (n - 1));
  EXPECT_EQ(BandSlice::inverse_causal({0, n}, {0, n}).area(), n / 2 * (n + 1));
  EXPECT_EQ((BandSlice{0, n, 0, n, -1, 1}.area()), 3 * n - 2);
  EXPECT_EQ((BandSlice{0, n, 0, n, -n + 1, -n + 1}.area()), 1);
  EXPECT_EQ((BandSlice{0, n, 0, n, n, BandSlice::unbounded_hi}.area()), 0);
  EXPECT_EQ(BandSlice::causal({n - 3, n}, {0, n}).area(), 3 * n - 3);
}

TEST(BandSlice, IsAConstantExpression) {
  static_assert(BandSlice::causal({0, 4}, {0, 4}).area() == 10);
  static_assert(BandSlice::causal({0, 4}, {0, 4}).visible(3, 3));
  static_assert(BandSlice::bi_causal({0, 4}, {0, 4}).transposed().tight().area() == 4);
}

}  // namespace
}  // namespace caesura::testing
