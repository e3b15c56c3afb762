// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_tile/tiles.hpp"

#include <algorithm>
#include <cstdint>

namespace caesura::host_tile {

/// A product of matrices in tiles. Counts are of tiles; distances between rows are in bytes, others in words.
struct Product {
  const std::uint32_t* a = nullptr;   ///< rows with the depth's neighbors side by side
  std::int64_t a_bytes = 64;          ///< between rows; 64: packed tiles
  std::int64_t a_row = 0;             ///< between tiles of rows
  std::int64_t a_depth = tile_words;  ///< between tiles of the depth
  const std::uint32_t* b = nullptr;   ///< `(depth / 2, columns)` in words
  std::int64_t b_bytes = 0;           ///< between rows
  float* c = nullptr;                 ///< `(rows, columns)`
  std::int64_t c_bytes = 0;           ///< between rows
  int rows = 0, columns = 0, depth = 0;
  bool adds = false;             ///< to what \p c holds; else it is overwritten
  const float* ahead = nullptr;  ///< sums that a later product loads, 4 KiB in one piece as c's: asked for meanwhile
};

namespace impl {

inline void clear_sums() {
  clear_tile<0>();
  clear_tile<1>();
  clear_tile<2>();
  clear_tile<3>();
}

template <int rows, int columns>
inline void store_sums(float* c, std::int64_t c_bytes) {
  float* const lower = c + 4 * c_bytes;
  store_tile<0>(c, c_bytes);
  if constexpr (columns == 2) store_tile<1>(c + tile_columns, c_bytes);
  if constexpr (rows == 2) store_tile<2>(lower, c_bytes);
  if constexpr (rows == 2 && columns == 2) store_tile<3>(lower + tile_columns, c_bytes);
}

/// One step of the depth. Each factor is loaded just before its first use: with all loads first, the forward took 4 %
/// (dim 128) to 6 % (dim 64) more time.
template <int rows, int columns>
inline void multiply_step(const Product& product, const std::uint32_t* a, const std::uint32_t* b) {
  load_tile<6>(b, product.b_bytes);
  load_tile<4>(a, product.a_bytes);
  multiply_tiles<0, 4, 6>();
  if constexpr (columns == 2) {
    load_tile<7>(b + tile_columns, product.b_bytes);
    multiply_tiles<1, 4, 7>();
  }
  if constexpr (rows == 2) {
    load_tile<5>(a + product.a_row, product.a_bytes);
    multiply_tiles<2, 5, 6>();
  }
  if constexpr (rows == 2 && columns == 2) multiply_tiles<3, 5, 7>();
}

template <int rows, int columns>
inline void multiply_block(const Product& product, const std::uint32_t* a, const std::uint32_t* b, float* c,
                           const float* ahead) {
  const std::int64_t c_bytes = product.c_bytes;
  if (product.adds) {
    float* const lower = c + 4 * c_bytes;
    load_tile<0>(c, c_bytes);
    if constexpr (columns == 2) load_tile<1>(c + tile_columns, c_bytes);
    if constexpr (rows == 2) load_tile<2>(lower, c_bytes);
    if constexpr (rows == 2 && columns == 2) load_tile<3>(lower + tile_columns, c_bytes);
  } else {
    clear_sums();
  }
  for (int i = 0; i < product.depth; ++i) {
    if (ahead != nullptr) {
      constexpr int lines = 8;  // a step; all of them in 256 rows of depth
#pragma GCC unroll 8
      for (int line = 0; line < lines; ++line) __builtin_prefetch(ahead + (i * lines + line) * tile_columns, 1, 3);
    }
    multiply_step<rows, columns>(product, a, b);
    a += product.a_depth;
    b += 4 * product.b_bytes;
  }
  store_sums<rows, columns>(c, c_bytes);
}

}  // namespace impl

/// Part \p part of `depth + 1` of a product of 2 x \p columns tiles that is not added to anything, for callers with
/// vectors to do between the parts; nobody may use tiles for something else meanwhile. The last part stores the product.
template <int columns>
inline void multiply_part(const Product& product, int part) {
  if (part == 0) impl::clear_sums();
  if (part < product.depth) {
    impl::multiply_step<2, columns>(product, product.a + part * product.a_depth,
                                    product.b + 4 * part * product.b_bytes);
  } else {
    impl::store_sums<2, columns>(product.c, product.c_bytes);
  }
}

/// In blocks of 2 x 2 tiles where there are so many: four sums, two factors of each side.
inline void multiply(const Product& product) {
  for (int row = 0; row < product.rows; row += 2) {
    for (int column = 0; column < product.columns; column += 2) {
      const std::uint32_t* const a = product.a + row * product.a_row;
      const std::uint32_t* const b = product.b + column * tile_columns;
      float* const c = product.c + row * 4 * product.c_bytes + column * tile_columns;
      const bool is_last = row + 2 >= product.rows;
      const float* const ahead = product.ahead == nullptr || is_last ? product.ahead : c + 8 * product.c_bytes;
      const bool two_columns = column + 1 < product.columns;
      if (row + 1 < product.rows) {
        two_columns ? impl::multiply_block<2, 2>(product, a, b, c, ahead)
                    : impl::multiply_block<2, 1>(product, a, b, c, ahead);
      } else {
        two_columns ? impl::multiply_block<1, 2>(product, a, b, c, ahead)
                    : impl::multiply_block<1, 1>(product, a, b, c, ahead);
      }
    }
  }
}

}  // namespace caesura::host_tile
