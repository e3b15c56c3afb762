// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_tile/pack.hpp"

#include <cstdint>

namespace caesura::host_tile {

/// Keys per step of the softmax: two such groups of scores stay in the first cache.
inline constexpr int key_group = 2 * tile_rows;
/// Keys per step of the output: with 128, loading and storing sums took 4 % of the forward's time more (dim 64).
inline constexpr int key_block = 256;
inline constexpr int key_steps = key_block / tile_depth;

/// One block of keys and values of one head as the forward reads them.
struct KeysOfBlock {
  const Word* k = nullptr;  ///< tiles `(key_block / 16, steps_k)`
  const Word* v = nullptr;  ///< tiles `(columns_v / 16, key_steps)` of V^T
  bool special = false;     ///< V has an infinite value or NaN
};

/// All blocks of some key heads.
struct PackedKeys {
  std::int64_t blocks = 0;  ///< of `key_block` keys
  int steps_k = 0;          ///< tiles of a row of K
  int columns_v = 0;        ///< dim_v, rounded up to whole tiles
  Word* k = nullptr;
  Word* v = nullptr;
  std::uint8_t* special = nullptr;  ///< (heads, blocks): V has an infinite value or NaN there

  PackedKeys(std::int64_t total_k, int dim_qk, int dim_v)
      : blocks((total_k + key_block - 1) / key_block),
        steps_k((dim_qk + tile_depth - 1) / tile_depth),
        columns_v(round_up(dim_v, tile_columns)) {}

  std::int64_t k_words() const { return std::int64_t{key_block / tile_rows} * steps_k * tile_words; }  ///< a block
  std::int64_t v_words() const { return std::int64_t{columns_v / tile_rows} * key_steps * tile_words; }
  std::int64_t bytes(std::int64_t heads) const {
    const auto words = static_cast<std::int64_t>(sizeof(Word)) * (k_words() + v_words());
    return heads * round_up<std::int64_t>(blocks * (words + 1), 64);
  }

  void place(std::byte* memory, std::int64_t heads) {
    k = reinterpret_cast<Word*>(memory);
    v = k + heads * blocks * k_words();
    special = reinterpret_cast<std::uint8_t*>(v + heads * blocks * v_words());
  }

  Word* k_block(std::int64_t head, std::int64_t block) const { return k + (head * blocks + block) * k_words(); }
  Word* v_block(std::int64_t head, std::int64_t block) const { return v + (head * blocks + block) * v_words(); }
  KeysOfBlock of(std::int64_t head, std::int64_t block) const {
    return {k_block(head, block), v_block(head, block), special[head * blocks + block] != 0};
  }
};

/// Packs the rows `[rows.begin, rows.end)` of the block that begins at key \p begin, whole tiles of the depth. Returns
/// whether V is special.
inline bool pack_block(const RowSpan& k, const RowSpan& v, std::int64_t begin, TileRange rows, Word* k_to, Word* v_to) {
  const int steps = (k.dim + tile_depth - 1) / tile_depth;
  for (int row = rows.begin; row < rows.end; row += tile_rows)
    pack_rows(k, begin + row, k_to + row / tile_rows * steps * tile_words);
  return pack_columns(v, begin + rows.begin, (rows.end - rows.begin) / tile_depth, key_steps,
                      v_to + rows.begin / tile_depth * tile_words);
}

/// Packs one block of all heads at hand: the heads of a token lie side by side in memory.
struct PackKeys {
  PackedKeys packed;
  TensorRef k, v;
  std::int64_t total_k;
  int first_head, heads;
  int dim_qk, dim_v;

  void operator()(std::int64_t block) const {
    for (int head = 0; head < heads; ++head) {
      packed.special[head * packed.blocks + block] =
          pack_block({k, total_k, first_head + head, dim_qk}, {v, total_k, first_head + head, dim_v}, block * key_block,
                     {0, key_block}, packed.k_block(head, block), packed.v_block(head, block));
    }
  }
};

}  // namespace caesura::host_tile
