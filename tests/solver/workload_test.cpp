// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/workload.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace caesura::solver {
namespace {

std::string shown(const BandSlice& slice, TileShape tile) {
  return text("q [", slice.q_begin, ", ", slice.q_end, ") k [", slice.k_begin, ", ", slice.k_end, ") diagonals [",
              slice.diagonal_lo, ", ", slice.diagonal_hi, "], tile ", tile.rows, " x ", tile.keys);
}

struct Tiles {
  std::int64_t count = 0;
  std::int64_t cost = 0;
};

/// Row by row, from the definition.
Tiles tiles_by_rows(const BandSlice& slice, TileShape tile) {
  std::vector<Range> rows;
  for (std::int64_t query = slice.q_begin; query < slice.q_end; ++query) {
    const Range keys = slice.keys_of(query);
    if (!keys.empty()) rows.push_back(keys);
  }
  Tiles tiles;
  for (std::size_t first = 0; first < rows.size(); first += static_cast<std::size_t>(tile.rows)) {
    const std::size_t end = std::min(rows.size(), first + static_cast<std::size_t>(tile.rows));
    Range keys = rows[first];
    for (std::size_t row = first; row < end; ++row)
      keys = {std::min(keys.begin, rows[row].begin), std::max(keys.end, rows[row].end)};
    const std::int64_t count = (keys.size() + tile.keys - 1) / tile.keys;
    tiles.count += count;
    tiles.cost += count * tile.keys * static_cast<std::int64_t>(end - first);
  }
  return tiles;
}

TEST(Workload, TilesAgreeWithCountingThemRowByRow) {
  testing::Random random(1);
  for (int i = 0; i < 450'000; ++i) {
    const std::int64_t size = i % 3 == 0 ? 8 : i % 3 == 1 ? 40 : 150;
    const BandSlice slice = random.slice(size);
    const auto extent = [&] {
      return static_cast<std::int32_t>(random.integer(1, random.chance(0.1) ? 200 : size / 4));
    };
    const TileShape tile = {extent(), extent()};
    const Tiles expected = tiles_by_rows(slice, tile);
    ASSERT_EQ(tile_count(slice, tile), expected.count) << "seed 1, case " << i << ": " << shown(slice, tile);
    ASSERT_EQ(tile_cost(slice, tile), expected.cost) << "seed 1, case " << i << ": " << shown(slice, tile);
    ASSERT_EQ(tile_cost(slice, {1, 1}), slice.area()) << "seed 1, case " << i << ": " << shown(slice, {1, 1});
    ASSERT_EQ(tile_count(slice, {1, 1}), slice.area()) << "seed 1, case " << i << ": " << shown(slice, {1, 1});
  }
}

TEST(Workload, TilesOfLongDocuments) {
  // 2^30 rows in blocks of 128: block i sees i + 1 tiles.
  constexpr std::int64_t length = std::int64_t{1} << 30;
  constexpr std::int64_t blocks = length / 128;
  const BandSlice causal = BandSlice::causal({0, length}, {0, length});
  EXPECT_EQ(tile_count(causal, {128, 128}), blocks * (blocks + 1) / 2);
  EXPECT_EQ(tile_cost(causal, {128, 128}), blocks * (blocks + 1) / 2 * 128 * 128);
  // Far from the corner, the same.
  EXPECT_EQ(tile_count(causal.shifted(length, 3 * length), {128, 128}), blocks * (blocks + 1) / 2);
}

TEST(Workload, ALastBlockOfFewerRowsCountsItsRowsAlone) {
  const std::vector<BandSlice> slices = {BandSlice::full({0, 10}, {0, 5}), BandSlice::full({10, 20}, {0, 8})};
  // 4 + 4 + 2 rows; 5 keys are 2 tiles of 4, 8 keys are 2.
  EXPECT_EQ(tile_count(slices[0], {4, 4}), 6);
  EXPECT_EQ(tile_cost(slices[0], {4, 4}), 10 * 8);
  EXPECT_EQ(tile_cost(slices, {4, 4}), 10 * 8 + 10 * 8);
}

TEST(Workload, WorkAddsTheFixedCostsOfTilesAndRows) {
  const std::vector<BandSlice> slices = {BandSlice::causal({0, 4}, {0, 4}), BandSlice::full({4, 7}, {4, 6})};
  EXPECT_EQ(work(slices, {.tile = {1, 1}}), 10 + 6);
  EXPECT_EQ(work(slices, {.tile = {1, 1}, .pairs_per_row = 0.5}), 10 + 6 + 0.5 * 7);
  // Rows 0-1 see 1 tile, rows 2-3 see 2; the full slice's 2 rows one and its last row one.
  EXPECT_EQ(work(slices, {.tile = {2, 2}, .pairs_per_row = 0.5, .pairs_per_tile = 3}), 3 * 4 + 4 + 2 + 0.5 * 7 + 3 * 5);
  EXPECT_EQ(work({}, {}), 0);
}

TEST(Workload, SecondsOfComputeAndOfRows) {
  const LayerShape layer = {.heads_q = 64, .heads_kv = 8, .dim_qk = 128, .dim_v = 128, .scalar_bytes = 2};
  const ComputeRates rates = {.forward_flops = 400e12, .backward_flops = 200e12};
  // 2 (128 + 128) 64 FLOPs a pair.
  EXPECT_DOUBLE_EQ(compute_seconds(1e9, layer, rates, {.forward = 1, .backward = 0}), 1e9 * 32768 / 400e12);
  EXPECT_DOUBLE_EQ(compute_seconds(1e9, layer, rates, {.forward = 2, .backward = 1}),
                   1e9 * 32768 * (2 / 400e12 + 2.5 / 200e12));
  // 4,096 bytes a row; its gradient in float has twice that.
  const Link link = {.bytes_per_second = 45e9};
  EXPECT_DOUBLE_EQ(transfer_seconds(8192, layer, link, {.forward = 1, .backward = 0}), 8192 * 4096 / 45e9);
  EXPECT_DOUBLE_EQ(transfer_seconds(8192, layer, link, {.forward = 1, .backward = 1}), 8192 * 4096 * 4 / 45e9);
  EXPECT_EQ(transfer_seconds(0, layer, link, {}), 0);
}

TEST(Workload, AShapeThatCannotBeSaysWhy) {
  const auto validate = [](LayerShape layer) { return [layer] { layer.validate("solve"); }; };
  EXPECT_NO_THROW(LayerShape{}.validate("solve"));
  testing::expect_invalid({"solve: heads_q = 0: must be at least 1"}, validate({.heads_q = 0}));
  testing::expect_invalid({"solve: scalar_bytes = -2: must be at least 1"}, validate({.scalar_bytes = -2}));
  testing::expect_invalid({"solve: heads_q = 10: must be a multiple of heads_kv = 4"},
                          validate({.heads_q = 10, .heads_kv = 4}));
}

}  // namespace
}  // namespace caesura::solver
