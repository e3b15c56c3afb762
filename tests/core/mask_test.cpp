// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/mask.hpp>
#include <support/errors.hpp>
#include <support/pairs.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <map>

namespace caesura::testing {
namespace {

/// Random self, cross, padded or batched documents.
Documents random_documents(Random& random) {
  const auto lengths = random.lengths(4, 7);
  switch (random.integer(0, 2)) {
    case 0: return Documents::from_lengths(lengths);
    case 1: {
      auto lengths_k = lengths;
      for (std::int64_t& length : lengths_k) length = random.integer(0, 7);
      return Documents::from_lengths(lengths, lengths_k);
    }
    default: {
      std::vector<std::int64_t> cu = {0}, padded = {random.integer(0, 2)};
      for (const std::int64_t length : lengths) {
        cu.push_back(cu.back() + length);
        padded.push_back(padded.back() + length + random.integer(0, 2));
      }
      return Documents::from_padded(cu, padded);
    }
  }
}

void expect_invariants(const Mask& mask) {
  for (std::size_t i = 0; i < mask.slices().size(); ++i) {
    const BandSlice& slice = mask.slices()[i];
    EXPECT_EQ(slice, slice.tight());
    EXPECT_FALSE(slice.empty());
    if (i == 0) continue;
    const BandSlice& before = mask.slices()[i - 1];
    EXPECT_LE(std::pair(before.q_begin, before.k_begin), std::pair(slice.q_begin, slice.k_begin));
  }
  const Pairs pairs = pairs_of(mask);
  for (std::int64_t q = 0; q < mask.total_q(); ++q) {
    for (std::int64_t k = 0; k < mask.total_k(); ++k) ASSERT_LE(pairs.count(q, k), 1) << q << ' ' << k;
  }
}

void expect_pairs(const Mask& mask, const Pairs& expected) {
  expect_invariants(mask);
  ASSERT_EQ(mask.total_q(), expected.total_q());
  ASSERT_EQ(mask.total_k(), expected.total_k());
  EXPECT_EQ(mask.area(), expected.area());
  for (std::int64_t q = 0; q < mask.total_q(); ++q) {
    for (std::int64_t k = 0; k < mask.total_k(); ++k) {
      ASSERT_EQ(mask.visible(q, k), expected.count(q, k) == 1) << "q " << q << " k " << k;
    }
  }
}

Mask random_mask(Random& random) { return Mask::from_documents(random_documents(random), random.rule(8)); }

TEST(Mask, DocumentRulesFollowTheirDefinition) {
  constexpr std::uint64_t seed = 31;
  Random random(seed);
  for (int i = 0; i < 20'000 && !::testing::Test::HasFailure(); ++i) {
    const Documents documents = random_documents(random);
    const DocumentMask rule = random.rule(8);
    SCOPED_TRACE(text("seed ", seed, " draw ", i, ": ", describe(rule), "; ", describe(documents)));
    expect_pairs(Mask::from_documents(documents, rule), pairs_of(documents, rule));
  }
}

TEST(Mask, EveryKindWindowChunkAndPrefixTogether) {
  const Documents documents =
      Documents::from_lengths(std::vector<std::int64_t>{5, 0, 9, 3}, std::vector<std::int64_t>{5, 2, 6, 8});
  for (int kind = 0; kind < 5; ++kind) {
    for (const std::int64_t left : {-1, 0, 1, 3}) {
      for (const std::int64_t right : {-1, 0, 2}) {
        for (const std::int64_t chunk : {0, 1, 3, 4, 20}) {
          for (const std::int64_t prefix : {0, 1, 2, 9}) {
            const DocumentMask rule = {static_cast<MaskKind>(kind), {left, right}, chunk, prefix};
            SCOPED_TRACE(describe(rule));
            expect_pairs(Mask::from_documents(documents, rule), pairs_of(documents, rule));
          }
        }
      }
    }
  }
}

TEST(Mask, OperationsKeepEveryPair) {
  constexpr std::uint64_t seed = 32;
  Random random(seed);
  for (int i = 0; i < 5'000 && !::testing::Test::HasFailure(); ++i) {
    const Mask mask = random_mask(random);
    SCOPED_TRACE(text("seed ", seed, " draw ", i, describe(mask.slices())));
    const Pairs pairs = pairs_of(mask);
    const std::vector<std::int64_t> cuts = {random.integer(-2, 20), random.integer(-2, 20), random.integer(-2, 20)};
    const Mask by_q = mask.cut_q(cuts), by_k = mask.cut_k(cuts);
    expect_pairs(by_q, pairs);
    expect_pairs(by_k, pairs);
    for (const std::int64_t cut : cuts) {
      for (const BandSlice& s : by_q.slices()) EXPECT_FALSE(s.q_begin < cut && cut < s.q_end) << describe(s) << cut;
      for (const BandSlice& s : by_k.slices()) EXPECT_FALSE(s.k_begin < cut && cut < s.k_end) << describe(s) << cut;
    }
    const Range queries = {random.integer(-1, 20), random.integer(-1, 20)};
    const Range keys = {random.integer(-1, 20), random.integer(-1, 20)};
    Pairs inside(mask.total_q(), mask.total_k()), exchanged(mask.total_k(), mask.total_q());
    Pairs moved(mask.total_q() + 3, mask.total_k() + 5);
    for (std::int64_t q = 0; q < mask.total_q(); ++q) {
      for (std::int64_t k = 0; k < mask.total_k(); ++k) {
        if (pairs.count(q, k) == 0) continue;
        if (queries.contains(q) && keys.contains(k)) inside.add(q, k);
        exchanged.add(k, q);
        moved.add(q + 1, k + 5);
      }
    }
    expect_pairs(mask.restricted(queries, keys), inside);
    expect_pairs(mask.transposed(), exchanged);
    expect_pairs(mask.shifted(1, 5, mask.total_q() + 3, mask.total_k() + 5), moved);
    EXPECT_EQ(mask.transposed().transposed(), mask);
  }
}

TEST(Mask, ShiftingOutOfTheTotalsIsAnError) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({4}));
  EXPECT_EQ(mask.shifted(2, 0, 6, 4).area(), 10);
  expect_invalid({"Mask::shifted"}, [&] { mask.shifted(1, 0, 4, 4); });
  expect_invalid({"Mask::shifted"}, [&] { mask.shifted(0, -1, 4, 4); });
  // Rows that see nothing may fall off.
  const Mask hole = Mask::from_slices(8, 8, std::vector<BandSlice>{BandSlice::full({2, 4}, {2, 4})});
  EXPECT_EQ(hole.shifted(-2, -2, 2, 2).area(), 4);
}

TEST(Mask, SlicesAreOrderedTightAndWithoutEmptyOnes) {
  const std::vector<BandSlice> slices = {BandSlice::full({4, 8}, {3, 6}),
                                         BandSlice::causal({0, 4}, {0, 2}),
                                         BandSlice::full({2, 2}, {0, 8}),
                                         {0, 4, 4, 8, 6, 5}};
  const Mask mask = Mask::from_slices(8, 8, slices);
  ASSERT_EQ(mask.slices().size(), 2u);
  EXPECT_EQ(mask.slices()[0], (BandSlice{2, 4, 0, 2, BandSlice::unbounded_lo, -2}));
  EXPECT_EQ(mask.slices()[1], slices[0]);
  expect_pairs(mask, pairs_of(8, 8, slices));
}

TEST(Mask, SlicesOutsideTheTotalsAreErrors) {
  const auto make = [](BandSlice slice) {
    Mask::from_slices(8, 6, std::vector<BandSlice>{BandSlice::full({0, 1}, {0, 1}), slice});
  };
  expect_invalid({"Mask::from_slices: slices[1]", "q [4, 9)", "q [0, 8)"}, [&] {
    make(BandSlice::full({4, 9}, {2, 3}));
  });
  expect_invalid({"slices[1]", "k [2, 7)", "k [0, 6)"}, [&] { make(BandSlice::full({4, 8}, {2, 7})); });
  expect_invalid({"slices[1]", "q [-1, 3)"}, [&] { make(BandSlice::full({-1, 3}, {2, 5})); });
  expect_invalid({"slices[1]", "q [5, 3)"}, [&] { make(BandSlice::full({5, 3}, {2, 5})); });
  expect_invalid({"total_q = -1:"}, [] { Mask::from_slices(-1, 2, {}); });
  expect_invalid({"total_k = 2147483649:"}, [] { Mask::from_slices(1, max_tokens + 1, {}); });
}

TEST(Mask, OverlappingSlicesNameBothAndOnePair) {
  const std::vector<BandSlice> slices = {BandSlice::full({0, 2}, {0, 8}), BandSlice::causal({2, 6}, {0, 4}),
                                         BandSlice::full({5, 8}, {3, 8})};
  expect_invalid(
      {"Mask::from_slices: slices[", "{q [2, 6), k [0, 4), k - q <= -2}", "{q [5, 8), k [3, 8)}", "q = 5, k = 3"},
      [&] { Mask::from_slices(8, 8, slices); });
  const std::vector<BandSlice> twice = {BandSlice::full({0, 2}, {0, 8}), BandSlice::full({0, 2}, {0, 8})};
  expect_invalid({"slices[0]", "slices[1]", "overlap"}, [&] { Mask::from_slices(8, 8, twice); });
}

TEST(Mask, OverlapsAreFoundExactly) {
  constexpr std::uint64_t seed = 33;
  Random random(seed);
  int overlapping = 0;
  constexpr int draws = 100'000;
  for (int i = 0; i < draws && !::testing::Test::HasFailure(); ++i) {
    std::vector<BandSlice> slices(static_cast<std::size_t>(random.integer(1, 5)));
    const std::int64_t size = random.integer(3, 10);
    for (BandSlice& slice : slices) {
      slice = random.slice(size);
      // Thin slices, or else nearly all lists overlap.
      if (random.chance(0.3)) slice.q_end = std::min(slice.q_end, slice.q_begin + 2);
      if (random.chance(0.3)) slice.k_end = std::min(slice.k_end, slice.k_begin + 3);
      if (random.chance(0.3)) slice.diagonal_hi = slice.diagonal_lo + random.integer(0, 2);
    }
    SCOPED_TRACE(text("seed ", seed, " draw ", i, describe(slices)));
    Pairs pairs(14, 14);
    bool expected = false;
    for (const BandSlice& slice : slices) {
      const BandSlice moved = slice.shifted(1, 1);
      for (std::int64_t q = 0; q < 14; ++q) {
        for (std::int64_t k = 0; k < 14; ++k) {
          if (!in_slice(moved, q, k)) continue;
          expected = expected || pairs.count(q, k) > 0;
          pairs.add(q, k);
        }
      }
    }
    overlapping += expected;
    const auto overlap = find_overlap(slices);
    ASSERT_EQ(overlap.has_value(), expected);
    if (!overlap) continue;
    ASSERT_NE(overlap->first, overlap->second);
    ASSERT_TRUE(in_slice(slices[overlap->first], overlap->query, overlap->key));
    ASSERT_TRUE(in_slice(slices[overlap->second], overlap->query, overlap->key));
  }
  // Both answers are asked for often enough.
  EXPECT_GT(overlapping, draws / 10);
  EXPECT_LT(overlapping, draws * 9 / 10);
}

TEST(Mask, BlocksAreCutAtTheTotals) {
  constexpr std::uint64_t seed = 34;
  Random random(seed);
  for (int i = 0; i < 2'000 && !::testing::Test::HasFailure(); ++i) {
    const std::int64_t total_q = random.integer(0, 12), total_k = random.integer(0, 12);
    const std::int64_t block_q = random.integer(1, 5), block_k = random.integer(1, 5);
    const std::int64_t columns = (total_k + block_k - 1) / block_k;
    std::vector<std::uint8_t> visible(static_cast<std::size_t>((total_q + block_q - 1) / block_q * columns));
    for (std::uint8_t& block : visible) block = random.chance(0.5);
    SCOPED_TRACE(text("seed ", seed, " draw ", i, ": ", total_q, " x ", total_k, " in ", block_q, " x ", block_k));
    Pairs expected(total_q, total_k);
    for (std::int64_t q = 0; q < total_q; ++q) {
      for (std::int64_t k = 0; k < total_k; ++k) {
        if (visible[static_cast<std::size_t>(q / block_q * columns + k / block_k)]) expected.add(q, k);
      }
    }
    expect_pairs(Mask::from_blocks(total_q, total_k, block_q, block_k, visible), expected);
  }
}

TEST(Mask, BadBlocksAndRulesAreErrors) {
  const std::vector<std::uint8_t> four(4, 1);
  expect_invalid({"Mask::from_blocks: block_q = 0:"}, [&] { Mask::from_blocks(8, 8, 0, 4, four); });
  expect_invalid({"Mask::from_blocks: block_k = -4:"}, [&] { Mask::from_blocks(8, 8, 4, -4, four); });
  expect_invalid({"visible has 4 entries", "(3, 2)"}, [&] { Mask::from_blocks(9, 8, 4, 4, four); });
  const Documents documents = Documents::from_lengths({4});
  expect_invalid({"Mask::from_documents: window.left = -2:"}, [&] {
    Mask::from_documents(documents, {.window = {-2, 0}});
  });
  expect_invalid({"window.right = -7:"}, [&] { Mask::from_documents(documents, {.window = {0, -7}}); });
  expect_invalid({"chunk = -1:"}, [&] { Mask::from_documents(documents, {.chunk = -1}); });
  expect_invalid({"prefix = -1:"}, [&] { Mask::from_documents(documents, {.prefix = -1}); });
}

TEST(Mask, FingerprintsAreEqualForEqualMasksAndDifferOtherwise) {
  Random random(77);
  std::map<std::pair<std::uint64_t, std::uint64_t>, Mask> seen;
  for (int i = 0; i < 3'000; ++i) {
    const Mask mask = Mask::from_documents(random_documents(random), random.rule(7));
    EXPECT_EQ(mask.fingerprint(), Mask::from_slices(mask.total_q(), mask.total_k(), mask.slices()).fingerprint());
    const auto [found, fresh] = seen.emplace(std::pair{mask.fingerprint().low, mask.fingerprint().high}, mask);
    EXPECT_TRUE(found->second == mask) << "draw " << i;
  }
  EXPECT_GT(seen.size(), 1'000u);
}

}  // namespace
}  // namespace caesura::testing
