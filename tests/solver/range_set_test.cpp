// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/range_set.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace caesura::solver {
namespace {

using testing::Random;
using Flags = std::vector<bool>;

constexpr std::int64_t rows = 24;

/// Of the rows that random ranges reach, one flag each.
Flags flags_of(std::span<const Range> ranges) {
  Flags flags(rows, false);
  for (const Range range : ranges) {
    for (std::int64_t row = range.begin; row < range.end; ++row) flags[static_cast<std::size_t>(row)] = true;
  }
  return flags;
}

std::vector<Range> random_ranges(Random& random) {
  std::vector<Range> ranges(static_cast<std::size_t>(random.integer(0, 6)));
  for (Range& range : ranges) {
    range.begin = random.integer(0, rows);
    range.end = std::min(rows, range.begin + random.integer(-2, 6));
  }
  return ranges;
}

std::string shown(std::span<const Range> ranges) {
  std::string result;
  for (const Range range : ranges) result += text(" [", range.begin, ", ", range.end, ")");
  return result;
}

/// The form that the class promises, and the rows.
void expect_set(const RangeSet& set, const Flags& expected) {
  ASSERT_EQ(flags_of(set.ranges()), expected) << shown(set.ranges());
  std::int64_t behind = -1;
  for (const Range range : set) {
    ASSERT_GT(range.begin, behind) << "not apart:" << shown(set.ranges());
    ASSERT_LT(range.begin, range.end) << "empty:" << shown(set.ranges());
    behind = range.end;
  }
  const auto count = std::count(expected.begin(), expected.end(), true);
  EXPECT_EQ(set.size(), count);
  EXPECT_EQ(set.empty(), count == 0);
  for (std::int64_t row = -1; row <= rows; ++row) {
    const bool inside = row >= 0 && row < rows && expected[static_cast<std::size_t>(row)];
    ASSERT_EQ(set.contains(row), inside) << "row " << row << " of" << shown(set.ranges());
  }
}

Flags combined(const Flags& a, const Flags& b, bool (*rule)(bool, bool)) {
  Flags result(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) result[i] = rule(a[i], b[i]);
  return result;
}

TEST(RangeSet, TakesRangesInAnyOrderAndMergesThem) {
  const RangeSet set({{5, 8}, {3, 3}, {0, 2}, {2, 4}, {7, 9}, {12, 11}});
  EXPECT_EQ(std::vector<Range>(set.begin(), set.end()), (std::vector<Range>{{0, 4}, {5, 9}}));
  EXPECT_EQ(set.size(), 8);
  EXPECT_TRUE(RangeSet({{3, 3}, {5, 4}}).empty());
  EXPECT_EQ(RangeSet({{3, 3}}), RangeSet());
}

TEST(RangeSet, AppendingGrowsTheLastRangeWhereTheyTouch) {
  RangeSet set;
  set.append({4, 4});
  EXPECT_TRUE(set.empty());
  set.append({1, 3});
  set.append({3, 5});
  set.append({9, 9});
  set.append({7, 8});
  EXPECT_EQ(set, RangeSet({{1, 5}, {7, 8}}));
}

TEST(RangeSet, OperationsAgreeWithRowsOneByOne) {
  constexpr std::uint64_t seed = 401;
  Random random(seed);
  for (int i = 0; i < 20'000 && !::testing::Test::HasFailure(); ++i) {
    const std::vector<Range> first = random_ranges(random), second = random_ranges(random);
    SCOPED_TRACE(text("seed ", seed, " draw ", i, ":", shown(first), " and", shown(second)));
    const Flags a = flags_of(first), b = flags_of(second);
    const RangeSet x(first), y(second);
    expect_set(x, a);
    expect_set(unite(x, y), combined(a, b, [](bool p, bool q) { return p || q; }));
    expect_set(intersect(x, y), combined(a, b, [](bool p, bool q) { return p && q; }));
    expect_set(subtract(x, y), combined(a, b, [](bool p, bool q) { return p && !q; }));
    EXPECT_EQ(x == y, a == b);
    RangeSet appended;
    for (const Range range : x) {
      const std::int64_t cut = random.integer(range.begin, range.end);
      appended.append({range.begin, cut});
      appended.append({cut, range.end});
    }
    EXPECT_EQ(appended, x) << shown(appended.ranges());
  }
}

}  // namespace
}  // namespace caesura::solver
