// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/backward_blocks.hpp"

namespace caesura::host_simd {

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
