// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/workload.hpp>
#include <support/masks.hpp>
#include <support/pairs.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace caesura::solver {
namespace {

using testing::Random;

/// Visible pairs of the rows below each row, one entry more than there are rows.
std::vector<std::int64_t> counted(const Mask& mask) {
  const testing::Pairs pairs = testing::pairs_of(mask);
  std::vector<std::int64_t> below = {0};
  for (std::int64_t q = 0; q < mask.total_q(); ++q) {
    std::int64_t row = 0;
    for (std::int64_t k = 0; k < mask.total_k(); ++k) row += pairs.count(q, k);
    below.push_back(below.back() + row);
  }
  return below;
}

void expect_profile(const Mask& mask) {
  const RowProfile profile(mask);
  const std::vector<std::int64_t> below = counted(mask);
  ASSERT_EQ(profile.total_q(), mask.total_q());
  for (std::int64_t row = 0; row <= mask.total_q(); ++row) {
    const auto at = static_cast<std::size_t>(row);
    ASSERT_EQ(profile.pairs_below(row), below[at]) << "row " << row;
    if (row < mask.total_q()) {
      ASSERT_EQ(profile.density(row), below[at + 1] - below[at]) << "row " << row;
    }
    const std::int64_t end = row + (mask.total_q() - row) / 2;
    ASSERT_EQ(profile.pairs({row, end}), below[static_cast<std::size_t>(end)] - below[at]) << row << " to " << end;
    ASSERT_EQ(profile.pairs({end, row - 1}), 0) << "backwards";
  }
  // `row_of`: the first row with that many pairs below it.
  for (std::int64_t pairs = 0; pairs <= below.back() + 1; pairs += 1 + below.back() / 200) {
    std::int64_t expected = 0;
    while (expected < mask.total_q() && below[static_cast<std::size_t>(expected)] < pairs) ++expected;
    ASSERT_EQ(profile.row_of(pairs), expected) << "pairs " << pairs << " of " << below.back();
  }
  EXPECT_EQ(profile.row_of(below.back() + 1), mask.total_q());
}

TEST(RowProfile, AgreesWithCountingForAllKindsOfMasks) {
  for (const testing::NamedMask& named : testing::kernel_masks()) {
    SCOPED_TRACE(named.name);
    expect_profile(named.mask);
  }
  for (const testing::NamedMask& named : testing::published_masks(16)) {
    SCOPED_TRACE(named.name);
    expect_profile(named.mask);
  }
}

TEST(RowProfile, AgreesWithCountingForRandomMasks) {
  constexpr std::uint64_t seed = 402;
  Random random(seed);
  for (int i = 0; i < 5'000 && !::testing::Test::HasFailure(); ++i) {
    if (i % 2 == 0) {
      const std::int64_t total_q = random.integer(1, 40), total_k = random.integer(1, 40);
      const std::int64_t count = random.integer(1, 12);
      SCOPED_TRACE(text("random_rectangles(", total_q, ", ", total_k, ", ", count, ", ", i, ")"));
      expect_profile(testing::random_rectangles(total_q, total_k, count, static_cast<std::uint64_t>(i)));
    } else {
      const auto lengths_q = random.lengths(5, 12);
      auto lengths_k = lengths_q;
      for (std::int64_t& length : lengths_k) length = random.integer(0, 12);
      const Documents documents = Documents::from_lengths(lengths_q, lengths_k);
      const DocumentMask rule = random.rule(12);
      SCOPED_TRACE(text("seed ", seed, " draw ", i, ": ", testing::describe(rule), "; ", testing::describe(documents)));
      expect_profile(Mask::from_documents(documents, rule));
    }
  }
}

TEST(RowProfile, CountsInClosedFormAtTheLargestSizes) {
  constexpr std::int64_t length = std::int64_t{1} << 30;
  const RowProfile causal(Mask::from_documents(Documents::from_lengths({length, length})));
  constexpr std::int64_t triangle = length * (length + 1) / 2;
  EXPECT_EQ(causal.pairs_below(length), triangle);
  EXPECT_EQ(causal.pairs_below(2 * length), 2 * triangle);
  EXPECT_EQ(causal.density(length - 1), length);
  EXPECT_EQ(causal.density(length), 1);
  EXPECT_EQ(causal.row_of(triangle), length);
  EXPECT_EQ(causal.row_of(triangle + 1), length + 1);
  const RowProfile window(Mask::from_documents(Documents::from_lengths({length}), {.window = {1023, 0}}));
  EXPECT_EQ(window.pairs_below(length), 1024 * length - 1024 * 1023 / 2);
  const RowProfile full(Mask::from_documents(Documents::from_lengths({2 * length}), {.kind = MaskKind::full}));
  EXPECT_EQ(full.pairs_below(2 * length), 4 * length * length);
  EXPECT_EQ(full.row_of(4 * length * length), 2 * length);
}

TEST(RowProfile, RowsThatSeeNothingHaveNoPairs) {
  const RowProfile nothing(Mask::from_slices(8, 8, {}));
  EXPECT_EQ(nothing.pairs({0, 8}), 0);
  EXPECT_EQ(nothing.row_of(0), 0);
  EXPECT_EQ(nothing.row_of(1), 8);
  EXPECT_EQ(RowProfile(Mask::from_slices(0, 0, {})).pairs_below(0), 0);
}

}  // namespace
}  // namespace caesura::solver
