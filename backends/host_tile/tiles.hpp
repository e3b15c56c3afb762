// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>

// AMX: eight registers of 16 x 64 bytes, and the product of two. The only file with its instructions, in assembly,
// since GCC 12's functions do not tell the compiler which memory they read. A product adds to 16 x 16 floats the depth
// of 32 of
//   A  16 rows x 32 bfloat16, neighbors of the depth side by side
//   B  16 rows x 16 words: row r has the depth's neighbors 2 r and 2 r + 1 of each column in one word
// Subnormal numbers count as zero; sums are float.

namespace caesura::host_tile {

inline constexpr int tile_rows = 16;
inline constexpr int tile_columns = 16;                      ///< words or floats
inline constexpr int tile_depth = 32;                        ///< numbers of a row of A
inline constexpr int tile_words = tile_rows * tile_columns;  ///< of a packed tile

/// What LDTILECFG reads: all eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/// This thread has tiles as long as it lives; afterwards they are as nobody had used them, which threads that are not
/// ours may rely on, and which keeps switches between threads cheap.
class TileSession {
 public:
  TileSession() {
    static constexpr TileShapes shapes;
    asm volatile("ldtilecfg %0" ::"m"(shapes));
  }
  ~TileSession() { asm volatile("tilerelease"); }
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;
};

/// Tile \p index from or to rows that are \p stride bytes apart.
template <int index>
inline void load_tile(const void* from, std::int64_t stride) {
  asm volatile("tileloadd (%0, %1, 1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(index) : "memory");
}
template <int index>
inline void store_tile(void* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0, %1, 1)" ::"r"(to), "r"(stride), "i"(index) : "memory");
}
template <int index>
inline void clear_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(index));
}
/// `sum += a b`.
template <int sum, int a, int b>
inline void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(a), "i"(b));
}

}  // namespace caesura::host_tile
