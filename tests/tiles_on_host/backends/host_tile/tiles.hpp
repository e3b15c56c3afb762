// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

// Stands in for the file of the same name, so that tests can run host_tile on processors without tiles: the same
// functions in plain C++. Products are rounded once a pair of numbers; subnormal numbers count, which tiles take for zero.

namespace caesura::host_tile {

inline constexpr int tile_rows = 16;
inline constexpr int tile_columns = 16;
inline constexpr int tile_depth = 32;
inline constexpr int tile_words = tile_rows * tile_columns;

struct EmulatedTile {
  std::uint32_t words[tile_rows][tile_columns];
};
/// Tiles hold nothing outside a session: NaN, here.
inline thread_local EmulatedTile emulated_tiles[8];

class TileSession {
 public:
  TileSession() { forget(); }
  ~TileSession() { forget(); }
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;

 private:
  static void forget() { std::memset(&emulated_tiles, 0xff, sizeof(emulated_tiles)); }
};

template <int index>
void load_tile(const void* from, std::int64_t stride) {
  for (int row = 0; row < tile_rows; ++row)
    std::memcpy(emulated_tiles[index].words[row], static_cast<const char*>(from) + row * stride, 64);
}
template <int index>
void store_tile(void* to, std::int64_t stride) {
  for (int row = 0; row < tile_rows; ++row)
    std::memcpy(static_cast<char*>(to) + row * stride, emulated_tiles[index].words[row], 64);
}
template <int index>
void clear_tile() {
  emulated_tiles[index] = {};
}
template <int sum, int a, int b>
void multiply_tiles() {
  const auto low = [](std::uint32_t word) { return std::bit_cast<float>(word << 16U); };
  const auto high = [](std::uint32_t word) { return std::bit_cast<float>(word & 0xffff0000U); };
  float sums[tile_rows][tile_columns];
  std::memcpy(sums, emulated_tiles[sum].words, sizeof(sums));
  for (int r = 0; r < tile_rows; ++r) {
    float lows[tile_columns], highs[tile_columns];
    for (int column = 0; column < tile_columns; ++column) {
      lows[column] = low(emulated_tiles[b].words[r][column]);
      highs[column] = high(emulated_tiles[b].words[r][column]);
    }
    for (int row = 0; row < tile_rows; ++row) {
      const float own_low = low(emulated_tiles[a].words[row][r]), own_high = high(emulated_tiles[a].words[row][r]);
      for (int column = 0; column < tile_columns; ++column)
        sums[row][column] += own_low * lows[column] + own_high * highs[column];
    }
  }
  std::memcpy(emulated_tiles[sum].words, sums, sizeof(sums));
}

}  // namespace caesura::host_tile
