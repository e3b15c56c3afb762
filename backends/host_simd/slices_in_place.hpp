// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/packed_keys.hpp"
#include "backends/host_simd/score_block.hpp"
#include "backends/host_simd/slices.hpp"

// What a forward that works in place has at hand: a few slices of one vector of queries.

namespace caesura::host_simd {

using portable::Arena;

/// The most slices that are multiplied together.
inline constexpr int joined_slices = 2;

/// A slice, what its rows see, and the memory for its scores.
template <class Words>
struct InPlaceSlice {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  static constexpr int lanes = width<Real>;
  static constexpr int rows_at_once = std::min(Block<Real>::rows, lanes);  ///< rows of O that are multiplied together

  Word* q;                     ///< `(depth_qk, lanes)`, `q_pitch` words apart
  Real* scores;                ///< `(key_block, lanes)`: S^T
  Word* weights;               ///< `(key_block / pack, lanes)`: P^T; where words are numbers, the memory of the scores
  Real *top, *sum;             ///< by lane: what weights are relative to (log2 units), and their sum
  Real* highest;               ///< by lane: running maximum (log2 units), where the caller asks for it
  std::int32_t *first, *last;  ///< by lane: the keys that it sees in the layer at hand
  Slice slice;
  TileRange seen[lanes / rows_at_once];  ///< by `rows_at_once` rows

  /// Rows `[begin, end)` become the slice.
  void cut(const RowIntervals& intervals, std::int64_t begin, std::int64_t end) {
    slice.begin = begin;
    slice.rows = static_cast<int>(end - begin);
    load(intervals, 0);
  }
  void load(const RowIntervals& intervals, std::int32_t layer) {
    load_layer(slice, intervals, layer, lanes, first, last);
    for (int lane = 0; lane < slice.rows; lane += rows_at_once) {
      TileRange& own = seen[lane / rows_at_once] = impl::empty_range();
      for (int i = lane; i < std::min(lane + rows_at_once, slice.rows); ++i) impl::join(own, {first[i], last[i]});
    }
  }
};

template <class Words>
struct InPlaceScratch {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  static constexpr int lanes = width<Real>;
  static constexpr int q_pitch = joined_slices * lanes, scores_pitch = key_block * lanes;

  InPlaceSlice<Words> slices[joined_slices];
  Real* out;    ///< `(lanes, columns_v)`
  Word *k, *v;  ///< rows of a block that cannot be read in place

  InPlaceScratch(Arena& arena, const AttentionShape& shape) {
    const int depth_qk = words_of(shape.dim_qk, Words::pack), columns_v = round_up(shape.dim_v, lanes);
    Word* const q = arena.take<Word>(q_pitch * depth_qk);
    Real* const scores = arena.take<Real>(joined_slices * scores_pitch);
    for (int s = 0; s < joined_slices; ++s) {
      InPlaceSlice<Words>& own = slices[s];
      own.q = q + s * lanes;
      own.scores = scores + s * scores_pitch;
      own.weights = take_weights<Words>(arena, own.scores, key_block, lanes);
      own.top = arena.take<Real>(lanes);
      own.sum = arena.take<Real>(lanes);
      own.highest = arena.take<Real>(lanes);
      own.first = arena.take<std::int32_t>(lanes);
      own.last = arena.take<std::int32_t>(lanes);
    }
    out = arena.take<Real>(lanes * columns_v);
    k = arena.take<Word>(key_block * round_up(depth_qk, lanes));
    v = arena.take<Word>(key_block / Words::pack * columns_v);
  }
};

}  // namespace caesura::host_simd
