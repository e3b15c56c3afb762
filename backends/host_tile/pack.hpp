// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pack.hpp"
#include "backends/host_tile/tiles.hpp"

#include <algorithm>
#include <cstring>

// From rows of tensors to the factors of products in tiles. A tensor's row can be a row of A (`pack_rows`: the depth is
// dim), a column of B (`pack_lanes`), or an element of A's depth (`pack_columns`).

namespace caesura::host_tile {

using host_simd::Raw;
using host_simd::round_up;
using host_simd::RowSpan;
using host_simd::width;
using Words = host_simd::PairWords;
using Word = Words::Word;

inline constexpr int max_row = 512 + 2 * tile_depth;  ///< numbers of a row, padded

/// Where one row begins, with zeros up to \p padded numbers: in the tensor if it has them so, else in \p line.
inline const bfloat16* row_at(const RowSpan& span, std::int64_t row, int padded, bfloat16* line) {
  if (row >= span.end || span.tensor.type != ScalarType::bfloat16) {
    host_simd::read_values<Words, bfloat16>(span, row, 1, padded, line);
    return line;
  }
  const auto* const from = host_simd::row_of<bfloat16>(span.tensor, row, span.head);
  const auto bytes = static_cast<std::int64_t>(sizeof(bfloat16)) * span.dim;
  host_simd::prefetch(from + tile_rows * span.tensor.row_stride, bytes);
  if (padded == span.dim) return from;
  std::memcpy(static_cast<void*>(line), from, static_cast<std::size_t>(bytes));
  std::memset(static_cast<void*>(line + span.dim), 0, sizeof(bfloat16) * static_cast<std::size_t>(padded - span.dim));
  return line;
}

/// Tiles of 16 rows from \p begin, one for each 32 numbers of dim.
inline void pack_rows(const RowSpan& span, std::int64_t begin, Word* to) {
  const int depth = round_up(span.dim, tile_depth);
  alignas(64) bfloat16 line[max_row];
  for (int i = 0; i < tile_rows; ++i) {
    const bfloat16* const row = row_at(span, begin + i, depth, line);
    for (int d = 0; d < depth; d += tile_depth)
      std::memcpy(to + d / tile_depth * tile_words + i * tile_columns, row + d, 64);
  }
}

/// 16 rows side by side: word r (numbers 2 r and 2 r + 1) of row i at `to[r * pitch + i]`, zeros up to whole tiles.
inline void pack_lanes(const RowSpan& span, std::int64_t begin, Word* to, int pitch) {
  const int depth = round_up(span.dim, tile_depth);
  alignas(64) bfloat16 lines[tile_columns][max_row];
  const bfloat16* rows[tile_columns];
  for (int i = 0; i < tile_columns; ++i) rows[i] = row_at(span, begin + i, depth, lines[i]);
  for (int d = 0; d < depth; d += tile_depth) {
    Raw<Word, 16> matrix[16];
    for (int i = 0; i < 16; ++i) std::memcpy(&matrix[i], rows[i] + d, 64);
    host_simd::transpose<16, Word, 16>(matrix);
    for (int r = 0; r < 16; ++r) std::memcpy(to + (d / 2 + r) * pitch, &matrix[r], 64);
  }
}

/// Which half word of (high, low), as one instruction rounds two vectors, comes where so that lanes become pairs.
inline __m512i pair_order() {
  alignas(64) std::uint16_t order[32];
  for (int i = 0; i < 32; ++i) order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 16);
  return _mm512_load_si512(order);
}

/// The inverse, rounding: number d of row i, for \p count rows, is `from[d * pitch + i]` times lane i of \p factor. Whole
/// rows are written at a time: with 16 of them line by line, the forward took 4 % more time (dim 128).
inline void unpack_lanes(const TensorRef& tensor, std::int64_t begin, int count, int head, int dim, const float* from,
                         int pitch, __m512 factor, host_simd::Write write) {
  alignas(64) Word rows[tile_columns][max_row / 2];
  for (int d = 0; d < dim; d += tile_depth) {
    Raw<Word, 16> matrix[16];
    for (int r = 0; r < 16; ++r) {
      const auto number = [&](int at) {
        return at < dim ? _mm512_mul_ps(_mm512_load_ps(from + at * pitch), factor) : _mm512_setzero_ps();
      };
      const auto rounded = (__m512i)_mm512_cvtne2ps_pbh(number(d + 2 * r + 1), number(d + 2 * r));
      matrix[r] = (Raw<Word, 16>)_mm512_permutexvar_epi16(pair_order(), rounded);
    }
    host_simd::transpose<16, Word, 16>(matrix);
    for (int i = 0; i < 16; ++i) std::memcpy(rows[i] + d / 2, &matrix[i], 64);
  }
  for (int i = 0; i < count; ++i) {
    auto* const to = static_cast<bfloat16*>(tensor.data) + tensor.offset(begin + i, head);
    int done = 0;
    if (write == host_simd::Write::stream && reinterpret_cast<std::uintptr_t>(to) % host_simd::line_bytes == 0) {
      for (; done + tile_depth <= dim; done += tile_depth)
        host_simd::stream_line(to + done, _mm512_load_si512(rows[i] + done / 2));
    }
    std::memcpy(static_cast<void*>(to + done), rows[i] + done / 2,
                sizeof(bfloat16) * static_cast<std::size_t>(dim - done));
  }
}

/// Two rows as the words of one step of the depth, for \p columns columns (whole vectors). \p special gathers infinite
/// values and NaN.
inline void zip_rows(const RowSpan& span, std::int64_t row, int columns, Word* to, Raw<Word, 16>& special) {
  alignas(64) bfloat16 lines[2][max_row];
  const bfloat16* const rows[2] = {row_at(span, row, columns, lines[0]), row_at(span, row + 1, columns, lines[1])};
  constexpr Word exponent = 0x7f80;
  for (int c = 0; c < columns; c += 16) {
    Raw<std::uint16_t, 16> low, high;
    std::memcpy(&low, rows[0] + c, 32);
    std::memcpy(&high, rows[1] + c, 32);
    const auto words = __builtin_convertvector(low, Raw<Word, 16>) | __builtin_convertvector(high, Raw<Word, 16>) << 16;
    special |= (Raw<Word, 16>)(((words & exponent) == exponent) | ((words & exponent << 16) == exponent << 16));
    std::memcpy(to + c, &words, 64);
  }
}

inline bool any_of(const Raw<Word, 16>& values) {
  Word any = 0;
  for (int i = 0; i < 16; ++i) any |= values[i];
  return any != 0;
}

/// Columns of dim as rows of A, with the tensor's rows as the depth: the tile of columns `16 i ..` and rows
/// `begin + 32 j ..` at `to + (i * pitch + j) * tile_words`, for the \p steps tiles of 32 rows. Returns whether a value
/// is infinite or NaN.
inline bool pack_columns(const RowSpan& span, std::int64_t begin, int steps, int pitch, Word* to) {
  const int columns = round_up(span.dim, tile_columns);
  Raw<Word, 16> special = {};
  alignas(64) Word pairs[tile_rows][max_row];
  for (int j = 0; j < steps; ++j) {
    for (int r = 0; r < tile_rows; ++r) zip_rows(span, begin + j * tile_depth + 2 * r, columns, pairs[r], special);
    for (int c = 0; c < columns; c += 16) {
      Raw<Word, 16> matrix[16];
      for (int r = 0; r < 16; ++r) std::memcpy(&matrix[r], pairs[r] + c, 64);
      host_simd::transpose<16, Word, 16>(matrix);
      Word* const tile = to + (c / 16 * pitch + j) * tile_words;
      for (int i = 0; i < 16; ++i) std::memcpy(tile + i * tile_columns, &matrix[i], 64);
    }
  }
  return any_of(special);
}

/// Columns of a panel: what lies row by row is cut into panels, so that 2 x 2 tiles are contiguous.
inline constexpr int panel_columns = 2 * tile_columns;

/// Rows as the depth of B: the words of columns `32 p ..` and rows `begin + 2 r`, `.. + 2 r + 1` at
/// `to + p * pitch + r * panel_columns`, for \p rows rows. Returns whether a value is infinite or NaN.
inline bool pack_pairs(const RowSpan& span, std::int64_t begin, int rows, int pitch, Word* to) {
  const int columns = round_up(span.dim, tile_columns);
  Raw<Word, 16> special = {};
  alignas(64) Word line[max_row];
  for (int r = 0; r < rows / 2; ++r) {
    zip_rows(span, begin + 2 * r, columns, line, special);
    for (int c = 0; c < columns; c += tile_columns)
      std::memcpy(to + c / panel_columns * pitch + r * panel_columns + c % panel_columns, line + c, 64);
  }
  return any_of(special);
}

}  // namespace caesura::host_tile
