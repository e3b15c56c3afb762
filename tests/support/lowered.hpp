// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention_plan.hpp>
#include <support/pairs.hpp>
#include <support/tensors.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace caesura::testing {

/// One side of a plan on the host.
struct HostLowered {
  std::int64_t layers, rows, partners, tile_rows, tiles;
  std::vector<std::int32_t> first, last, run_counts, order;
  std::vector<TileRange> runs;

  HostLowered(const Lowered& lowered, std::int64_t partners_)
      : layers(lowered.intervals.layers),
        rows(lowered.intervals.rows),
        partners(partners_),
        tile_rows(lowered.schedule.tile_rows),
        tiles(lowered.schedule.tiles),
        first(download(lowered.intervals.first, layers * rows)),
        last(download(lowered.intervals.last, layers * rows)),
        run_counts(download(lowered.schedule.run_counts, layers * tiles)),
        order(download(lowered.schedule.order, tiles)),
        runs(download(lowered.schedule.runs, layers * tiles * tile_rows)) {}

  Range interval(std::int64_t layer, std::int64_t row) const {
    const auto at = static_cast<std::size_t>(layer * rows + row);
    return {first[at], last[at]};
  }

  std::vector<Range> runs_of(std::int64_t layer, std::int64_t tile) const {
    std::vector<Range> result;
    for (std::int64_t i = 0; i < run_counts[static_cast<std::size_t>(layer * tiles + tile)]; ++i) {
      const TileRange run = runs[static_cast<std::size_t>((layer * tile_rows + i) * tiles + tile)];
      result.push_back({run.begin, run.end});
    }
    return result;
  }

  std::int64_t cost(std::int64_t tile) const {
    std::int64_t sum = 0;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      for (const Range& run : runs_of(layer, tile)) sum += run.size();
    }
    return sum;
  }

  /// How often each pair appears in the intervals.
  Pairs pairs() const {
    Pairs result(rows, partners);
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      for (std::int64_t row = 0; row < rows; ++row) {
        const Range range = interval(layer, row);
        for (std::int64_t k = range.begin; k < range.end; ++k) result.add(row, k);
      }
    }
    return result;
  }

  void expect_inside() const {
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      for (std::int64_t row = 0; row < rows; ++row) {
        const Range range = interval(layer, row);
        if (range.empty()) continue;
        ASSERT_GE(range.begin, 0) << "row " << row;
        ASSERT_LE(range.end, partners) << "row " << row;
      }
    }
  }

  /// Runs are the sorted, disjoint unions of their rows' intervals; the order is by cost, within a quarter.
  void expect_schedule() const {
    ASSERT_EQ(tiles, (rows + tile_rows - 1) / tile_rows);
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        std::vector<bool> expected(static_cast<std::size_t>(partners)), got(static_cast<std::size_t>(partners));
        for (std::int64_t row = tile * tile_rows; row < std::min(rows, (tile + 1) * tile_rows); ++row) {
          const Range range = interval(layer, row);
          for (std::int64_t k = range.begin; k < range.end; ++k) expected[static_cast<std::size_t>(k)] = true;
        }
        std::int64_t behind = -1;
        for (const Range& run : runs_of(layer, tile)) {
          ASSERT_FALSE(run.empty()) << "tile " << tile;
          ASSERT_GE(run.begin, behind) << "tile " << tile;
          ASSERT_LE(run.end, partners) << "tile " << tile;
          behind = run.end;
          for (std::int64_t k = run.begin; k < run.end; ++k) got[static_cast<std::size_t>(k)] = true;
        }
        ASSERT_EQ(got, expected) << "layer " << layer << " tile " << tile;
      }
    }
    std::vector<std::int32_t> sorted = order, all(static_cast<std::size_t>(tiles));
    std::sort(sorted.begin(), sorted.end());
    std::iota(all.begin(), all.end(), 0);
    ASSERT_EQ(sorted, all) << "order is not a permutation";
    for (std::size_t i = 1; i < order.size(); ++i) {
      ASSERT_LE(4 * cost(order[i]), 5 * cost(order[i - 1])) << "order[" << i << "]";
    }
  }
};

/// Both sides of a plan against the pairs.
inline void expect_plan(const AttentionPlan<Space>& plan, const Pairs& expected) {
  Space().fence();
  ASSERT_EQ(plan.total_q(), expected.total_q());
  ASSERT_EQ(plan.total_k(), expected.total_k());
  const HostLowered rows(plan.rows(), plan.total_k());
  ASSERT_EQ(rows.rows, plan.total_q());
  EXPECT_TRUE(rows.pairs() == expected) << "rows see other keys";
  rows.expect_schedule();
  if (plan.passes() == Passes::forward) return;
  const HostLowered columns(plan.columns(), plan.total_q());
  ASSERT_EQ(columns.rows, plan.total_k());
  Pairs transposed(plan.total_k(), plan.total_q());
  for (std::int64_t q = 0; q < plan.total_q(); ++q) {
    for (std::int64_t k = 0; k < plan.total_k(); ++k) {
      for (int i = 0; i < expected.count(q, k); ++i) transposed.add(k, q);
    }
  }
  EXPECT_TRUE(columns.pairs() == transposed) << "keys are seen by other rows";
  columns.expect_schedule();
}

}  // namespace caesura::testing
