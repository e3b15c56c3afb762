// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <support/masks.hpp>
#include <support/pairs.hpp>

#include <gtest/gtest.h>

#include <map>

namespace caesura::testing {
namespace {

constexpr std::int64_t square(std::int64_t n) { return n * n; }
constexpr std::int64_t triangle(std::int64_t n) { return n * (n + 1) / 2; }

TEST(PublishedMasks, HaveTheAreaOfTheirDefinition) {
  const std::int64_t irregular[] = {366, 25, 80, 364, 149, 21, 12, 3, 3, 1};
  std::int64_t irregular_full = 0, irregular_causal = 0;
  for (const std::int64_t length : irregular) {
    irregular_full += square(length);
    irregular_causal += triangle(length);
  }
  // Causal q < k: the rectangle to the left of the last square, and its triangle. Inverse causal: i <= j.
  const std::int64_t uneven = square(2000) + (2000 * 2000 + triangle(2000)) + (2000 * 6000 - triangle(1999)) +
                              2000 * (8000 - 2000 + 1) + triangle(1500) + (2000 * 0 + 1521 * 1500 + triangle(1521));
  // uneven_11k's third slice is inverse causal over 2000 x 6000, its fourth bi-causal over 2000 x 8000.
  const std::map<std::string, std::int64_t> areas = {
      {"full_1k", square(1024)},
      {"varlen_12k", 6 * square(2048)},
      {"varlen_block_causal_15k", 2048 * 2048 * (1 + 2 + 3 + 4 + 1 + 2) + square(3072)},
      {"block_causal_overlap_12k", 2048 * 2048 * (4 + 3 + 2 + 1 + 2 + 1)},
      {"assembled_8k", square(8192)},
      {"varlen_960", 128 * (128 + 256 + 384 + 512 + 128 + 256) + 192 * 192},
      {"varlen_840", 128 * (128 + 256 + 384 + 512 + 128 + 256) + 72 * 72},
      {"short_irregular_full", irregular_full},
      {"short_irregular_causal", irregular_causal},
      {"uneven_11k", uneven},
  };
  for (const NamedMask& named : published_masks(1)) {
    SCOPED_TRACE(named.name);
    ASSERT_TRUE(areas.contains(named.name));
    EXPECT_EQ(named.mask.area(), areas.at(named.name));
  }
}

TEST(PublishedMasks, KeepTheirPairsWhenCutAndRestricted) {
  for (const NamedMask& named : published_masks(16)) {
    const Pairs pairs = pairs_of(named.mask);
    EXPECT_EQ(named.mask.area(), pairs.area()) << named.name;
    for (std::int64_t ranks = 1; ranks <= 8; ++ranks) {
      // Every number of ranks, also where it divides nothing.
      std::int64_t area = 0;
      const std::int64_t total = named.mask.total_q();
      for (std::int64_t r = 0; r < ranks; ++r) {
        const Range own = {r * total / ranks, (r + 1) * total / ranks};
        area += named.mask.restricted(own, {0, named.mask.total_k()}).area();
      }
      EXPECT_EQ(area, pairs.area()) << named.name << ", " << ranks << " ranks";
    }
  }
}

TEST(PublishedMasks, RandomRectanglesAreAccepted) {
  for (const std::int64_t count : {10, 100, 1000}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      for (const auto& [total_q, total_k] : {std::pair<std::int64_t, std::int64_t>{513, 123}, {1023, 2077}}) {
        SCOPED_TRACE(text(count, " rectangles on ", total_q, " x ", total_k, ", seed ", seed));
        const Mask mask = random_rectangles(total_q, total_k, count, seed);
        EXPECT_EQ(mask.area(), pairs_of(mask).area());
        EXPECT_GT(mask.slices().size(), static_cast<std::size_t>(count / 3));
      }
    }
  }
}

}  // namespace
}  // namespace caesura::testing
