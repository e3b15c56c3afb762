// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/ldmatrix.hpp>
#include <ptx/stmatrix.hpp>

#include <cstdint>

using namespace caesura;
using cuda_on_host::expect_sound;

namespace {

ptx::SharedAddress row_of(int matrix, int row) {
  return ptx::shared_memory() + 16 * static_cast<std::uint32_t>(8 * matrix + row);
}

std::uint32_t value_at(int matrix, int row, int column) {
  return static_cast<std::uint32_t>(64 * matrix + 8 * row + column);
}

/// Four matrices of 8 x 8 distinct values in a lane's registers.
ptx::Vector4 fragments(int lane) {
  ptx::Vector4 result;
  for (int i = 0; i < 4; ++i) {
    result.word[i] = value_at(i, lane / 4, lane % 4 * 2) | value_at(i, lane / 4, lane % 4 * 2 + 1) << 16;
  }
  return result;
}

}  // namespace

TEST(Stmatrix, EntriesLandInTheirRows) {
  expect_sound(32, [] {
    const int lane = ptx::lane_index();
    ptx::store_matrices(row_of(lane / 8, lane % 8), fragments(lane));
    ptx::sync_warp();
    for (std::uint32_t column = 0; column < 8; ++column) {
      EXPECT_EQ(ptx::load_shared<std::uint16_t>(row_of(lane / 8, lane % 8) + 2 * column),
                value_at(lane / 8, lane % 8, static_cast<int>(column)));
    }
  });
}

TEST(Stmatrix, TransposedEntriesLandInTheirColumns) {
  expect_sound(32, [] {
    const int lane = ptx::lane_index();
    ptx::store_matrices_transposed(row_of(lane / 8, lane % 8), fragments(lane));
    ptx::sync_warp();
    for (std::uint32_t column = 0; column < 8; ++column) {
      EXPECT_EQ(ptx::load_shared<std::uint16_t>(row_of(lane / 8, lane % 8) + 2 * column),
                value_at(lane / 8, static_cast<int>(column), lane % 8));
    }
  });
}

TEST(Stmatrix, LdmatrixReadsWhatItWrote) {
  expect_sound(32, [] {
    const int lane = ptx::lane_index();
    ptx::store_matrices(row_of(lane / 8, lane % 8), fragments(lane));
    ptx::sync_warp();
    const ptx::Vector4 got = ptx::load_matrices(row_of(lane / 8, lane % 8));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(got.word[i], fragments(lane).word[i]);
  });
}
