// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/order.hpp"
#include "backends/host_tile/pack.hpp"
#include "backends/portable/residents.hpp"

// The elementwise part of the backward: from a cell of scores and products to P^T and dS^T as the tiles take them.

namespace caesura::host_tile {

using portable::Arena;

/// Rows of both sides are packed, and visited, in blocks: the groups of the order.
inline constexpr int backward_block = static_cast<int>(host_simd::group_rows);
/// Rows that go through the products together, of both sides: 2 x 2 tiles of sums.
inline constexpr int slice_rows = 2 * tile_rows;
inline constexpr int block_slices = backward_block / slice_rows;

/// Which pairs of a cell count, and how.
enum class Pairs : std::uint8_t {
  all,
  visible,  ///< others are zero
  adjusted  ///< the same, with factors of softcap and dropout
};

/// What a work item writes and reads again. A cell is a slice of keys with one of queries, `(keys, queries)`. There is
/// room for one, and tiles wait for vectors: with a second one P^T and dS^T left the first cache (0.91x at dim 64).
struct PairBlock {
  static constexpr int cell = slice_rows * slice_rows;
  static constexpr int slice_pairs = backward_block / 2 * slice_rows;

  Word *weights, *ds;  ///< P^T and dS^T of a slice of keys: tiles `(2, block_slices)`
  Word* ds_pairs;      ///< slice by slice of queries `(backward_block / 2, slice_rows)`: neighboring keys in a word
  float *scores, *products;  ///< of a cell: S^T, dP^T
  float *kept, *slopes;      ///< of a cell: factors of weights and products by dropout, of dS by the softcap

  explicit PairBlock(Arena& arena)
      : weights(arena.take<Word>(2 * block_slices * tile_words)),
        ds(arena.take<Word>(2 * block_slices * tile_words)),
        ds_pairs(arena.take<Word>(block_slices * slice_pairs)),
        scores(arena.take<float>(cell)),
        products(arena.take<float>(cell)),
        kept(arena.take<float>(cell)),
        slopes(arena.take<float>(cell)) {}
};

/// The lane of `PairBlock::ds_pairs` that holds query \p lane of a slice: rows are interleaved within 128 bits, by one
/// instruction; dQ is put in order when it is stored.
constexpr int lane_of_pairs(int lane) { return lane % 8 / 4 * 16 + lane / 8 * 4 + lane % 4; }

/// Undoes `lane_of_pairs` in \p rows rows of dQ^T.
inline void order_lanes(float* rows_of_dq, int rows) {
  alignas(64) std::int32_t places[slice_rows];
  for (int lane = 0; lane < slice_rows; ++lane) places[lane] = lane_of_pairs(lane);
  const __m512i lower = _mm512_load_si512(places), upper = _mm512_load_si512(places + 16);
  for (int row = 0; row < rows; ++row) {
    float* const at = rows_of_dq + row * slice_rows;
    const __m512 a = _mm512_load_ps(at), b = _mm512_load_ps(at + 16);
    _mm512_store_ps(at, _mm512_permutex2var_ps(a, lower, b));
    _mm512_store_ps(at + 16, _mm512_permutex2var_ps(a, upper, b));
  }
}

/// What a cell's pairs are made of and where they go.
struct CellPairs {
  const PairBlock& block;
  float unit;                 ///< brings scores to log2 units
  const float *lse, *delta;   ///< by lane
  __m512i first[2], last[2];  ///< the keys that lanes see
  std::int32_t first_key;
  Word *weights, *ds;  ///< the first of two tiles, `block_slices` tiles apart
  Word* ds_pairs;      ///< of the cell's keys
};

/// p = 2^(s - lse), ds = p (dp - delta), times the slope of the softcap; dropout scales dp, and the p that dV takes.
template <Pairs pairs>
inline void differentiate(const CellPairs& cell) {
  constexpr int size = tile_columns;
  const __m512 unit = _mm512_set1_ps(cell.unit);
  const __m512 lse[2] = {_mm512_load_ps(cell.lse), _mm512_load_ps(cell.lse + size)};
  const __m512 delta[2] = {_mm512_load_ps(cell.delta), _mm512_load_ps(cell.delta + size)};
  const auto differentiate_vector = [&](int r, int v, __m512& weight, __m512& ds) {
    const int at = r * slice_rows + v * size;
    const __m512 exponent = _mm512_fmsub_ps(_mm512_load_ps(cell.block.scores + at), unit, lse[v]);
    weight = static_cast<__m512>(host_simd::exp2_of<float>(host_simd::Vector<float>(exponent)));
    __m512 product = _mm512_load_ps(cell.block.products + at);
    if constexpr (pairs == Pairs::adjusted) product = _mm512_mul_ps(product, _mm512_load_ps(cell.block.kept + at));
    ds = _mm512_mul_ps(weight, _mm512_sub_ps(product, delta[v]));
    if constexpr (pairs == Pairs::adjusted) {
      ds = _mm512_mul_ps(ds, _mm512_load_ps(cell.block.slopes + at));
      weight = _mm512_mul_ps(weight, _mm512_load_ps(cell.block.kept + at));
    }
    if constexpr (pairs != Pairs::all) {
      const __m512i key = _mm512_set1_epi32(cell.first_key + r);
      const __mmask16 sees =
          _mm512_mask_cmplt_epi32_mask(_mm512_cmple_epi32_mask(cell.first[v], key), key, cell.last[v]);
      weight = _mm512_maskz_mov_ps(sees, weight);
      ds = _mm512_maskz_mov_ps(sees, ds);
    }
  };
  for (int tile = 0; tile < 2; ++tile) {
    Word* const weights = cell.weights + tile * block_slices * tile_words;
    Word* const ds = cell.ds + tile * block_slices * tile_words;
    for (int row = 0; row < tile_rows; row += 2) {
      const int r = tile * tile_rows + row;
      __m512i ds_rows[2];
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        __m512 weight[2], gradient[2];
#pragma GCC unroll 2
        for (int v = 0; v < 2; ++v) differentiate_vector(r + i, v, weight[v], gradient[v]);
        _mm512_store_si512(weights + (row + i) * size, (__m512i)_mm512_cvtne2ps_pbh(weight[1], weight[0]));
        ds_rows[i] = (__m512i)_mm512_cvtne2ps_pbh(gradient[1], gradient[0]);
        _mm512_store_si512(ds + (row + i) * size, ds_rows[i]);
      }
      Word* const words = cell.ds_pairs + r / 2 * slice_rows;
      _mm512_store_si512(words, _mm512_unpacklo_epi16(ds_rows[0], ds_rows[1]));
      _mm512_store_si512(words + size, _mm512_unpackhi_epi16(ds_rows[0], ds_rows[1]));
    }
  }
}

}  // namespace caesura::host_tile
