// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/packed_backward.hpp"

// What the backward knows of a block of queries with a block of keys: who sees whom, and P^T and dS^T.

namespace caesura::host_simd {

/// What a slice of queries sees in a layer, as in `Slice`.
struct SliceRange {
  TileRange hull = {INT32_MAX, 0};
  TileRange core = {0, INT32_MAX};
};

/// The ranges of slice \p item, all slices of a layer after another.
template <class Real>
struct FindSliceRanges {
  RowIntervals intervals;
  std::int64_t slices;  ///< of a layer
  SliceRange* ranges;   ///< (layers, slices)

  void operator()(std::int64_t item) const {
    constexpr int lanes = Block<Real>::lanes;
    const std::int64_t layer = item / slices, begin = item % slices * lanes;
    SliceRange result;
    for (std::int64_t row = begin; row < std::min(begin + lanes, intervals.rows); ++row) {
      const TileRange own{intervals.first[layer * intervals.rows + row], intervals.last[layer * intervals.rows + row]};
      if (own.begin < own.end) {
        result.hull = {std::min(result.hull.begin, own.begin), std::max(result.hull.end, own.end)};
      }
      result.core = {std::max(result.core.begin, own.begin), std::min(result.core.end, own.end)};
    }
    ranges[item] = result;
  }
};

/// P^T and dS^T of one block of keys with one block of queries.
template <class Words>
struct PairBlock {
  using Word = typename Words::Word;
  static constexpr int slices = backward_block / Block<typename Words::Real>::lanes;
  static constexpr int row_words = backward_block / Words::pack;

  /// A row for each key, with the queries' neighbors in a word: what dV and dK take.
  using Factor = Word[backward_block * row_words];
  alignas(64) Factor weights;
  alignas(64) Factor ds;
  /// dS^T with the keys' neighbors in a word, a column for each query, which dQ takes; with one number a word it is `ds`.
  alignas(64) Word ds_pairs[Words::pack == 1 ? 1 : row_words * backward_block];
  /// The keys of the block that each slice sees, in whole panels.
  TileRange seen[slices];

  const Word* ds_lanes() const { return Words::pack == 1 ? ds : ds_pairs; }
};

}  // namespace caesura::host_simd
