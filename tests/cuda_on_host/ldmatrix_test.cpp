// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/ldmatrix.hpp>

#include <cstdint>

using namespace caesura;
using cuda_on_host::expect_sound;

namespace {

/// Four matrices of 8 x 8 distinct values: value `64 matrix + 8 row + column`, rows of 16 bytes, 48 bytes apart.
constexpr std::uint32_t row_stride = 48;

ptx::SharedAddress row_of(int matrix, int row) {
  return ptx::shared_memory() + row_stride * static_cast<std::uint32_t>(8 * matrix + row);
}

std::uint32_t value_at(int matrix, int row, int column) {
  return static_cast<std::uint32_t>(64 * matrix + 8 * row + column);
}

void fill() {
  const int matrix = ptx::lane_index() / 8, row = ptx::lane_index() % 8;
  for (int pair = 0; pair < 4; ++pair) {
    ptx::store_shared(row_of(matrix, row) + 4 * static_cast<std::uint32_t>(pair),
                      value_at(matrix, row, 2 * pair) | value_at(matrix, row, 2 * pair + 1) << 16);
  }
  ptx::sync_warp();
}

}  // namespace

TEST(Ldmatrix, LaneGetsTwoNeighborsOfARow) {
  expect_sound(32, [] {
    fill();
    const int lane = ptx::lane_index();
    const ptx::Vector4 got = ptx::load_matrices(row_of(lane / 8, lane % 8));
    for (int matrix = 0; matrix < 4; ++matrix) {
      EXPECT_EQ(got.word[matrix] & 0xffff, value_at(matrix, lane / 4, lane % 4 * 2)) << "lane " << lane;
      EXPECT_EQ(got.word[matrix] >> 16, value_at(matrix, lane / 4, lane % 4 * 2 + 1)) << "lane " << lane;
    }
  });
}

TEST(Ldmatrix, TransposedLaneGetsTwoNeighborsOfAColumn) {
  expect_sound(32, [] {
    fill();
    const int lane = ptx::lane_index();
    const ptx::Vector4 got = ptx::load_matrices_transposed(row_of(lane / 8, lane % 8));
    for (int matrix = 0; matrix < 4; ++matrix) {
      EXPECT_EQ(got.word[matrix] & 0xffff, value_at(matrix, lane % 4 * 2, lane / 4)) << "lane " << lane;
      EXPECT_EQ(got.word[matrix] >> 16, value_at(matrix, lane % 4 * 2 + 1, lane / 4)) << "lane " << lane;
    }
  });
}

TEST(Ldmatrix, RowsMayBeAnywhereAndShared) {
  expect_sound(32, [] {
    fill();
    const int lane = ptx::lane_index();
    // All four matrices are matrix 2 with its rows backward.
    const ptx::Vector4 got = ptx::load_matrices(row_of(2, 7 - lane % 8));
    for (int matrix = 0; matrix < 4; ++matrix) {
      EXPECT_EQ(got.word[matrix] & 0xffff, value_at(2, 7 - lane / 4, lane % 4 * 2)) << "lane " << lane;
    }
  });
}
