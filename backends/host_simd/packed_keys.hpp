// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pack.hpp"

#include <cstdint>

namespace caesura::host_simd {

/// Keys per step of the softmax: scores of a slice, P^T after them, stay in the first cache.
inline constexpr int key_block = 128;

/// One block of keys and values of one head as the forward reads them.
template <class Words>
struct KeysOfBlock {
  const typename Words::Word* k = nullptr;  ///< panels of rows (scores)
  const typename Words::Word* v = nullptr;  ///< panels of columns (accumulation)
  bool special = false;                     ///< V has an infinite value or NaN
};

/// Packs the block that begins at key \p begin. Returns whether V is special.
template <class Words, class Scalar>
bool pack_block(const RowSpan& k, const RowSpan& v, std::int64_t begin, typename Words::Word* k_to,
                typename Words::Word* v_to) {
  constexpr int panel = Block<typename Words::Real>::rows;
  const int depth = words_of(k.dim, Words::pack);
  for (int row = 0; row < key_block; row += panel)
    pack_rows<Words, Scalar, panel>(k, begin + row, 1, k_to + row * depth, panel);
  return pack_columns<Words, Scalar, panel>(v, begin, key_block / Words::pack, round_up(v.dim, panel), v_to);
}

/// All blocks of some key heads.
template <class Words>
struct PackedKeys {
  using Word = typename Words::Word;
  static constexpr int panel = Block<typename Words::Real>::rows;

  std::int64_t blocks = 0;  ///< of `key_block` keys
  int depth_k = 0;          ///< words of a row of K
  int columns_v = 0;        ///< dim_v, rounded up to whole panels
  Word* k = nullptr;
  Word* v = nullptr;
  std::uint8_t* special = nullptr;  ///< (heads, blocks): V has an infinite value or NaN there

  PackedKeys(std::int64_t total_k, int dim_qk, int dim_v)
      : blocks((total_k + key_block - 1) / key_block),
        depth_k(words_of(dim_qk, Words::pack)),
        columns_v(round_up(dim_v, panel)) {}

  std::int64_t k_words() const { return blocks * key_block * depth_k; }                    ///< a head
  std::int64_t v_words() const { return blocks * (key_block / Words::pack) * columns_v; }  ///< a head
  std::int64_t bytes(std::int64_t heads) const {
    return heads *
           round_up<std::int64_t>((k_words() + v_words()) * static_cast<std::int64_t>(sizeof(Word)) + blocks, 64);
  }

  void place(std::byte* memory, std::int64_t heads) {
    k = reinterpret_cast<Word*>(memory);
    v = k + heads * k_words();
    special = reinterpret_cast<std::uint8_t*>(v + heads * v_words());
  }

  /// Panels of block \p block; further panels follow one another.
  Word* k_block(std::int64_t head, std::int64_t block) const {
    return k + head * k_words() + block * key_block * depth_k;
  }
  Word* v_block(std::int64_t head, std::int64_t block) const {
    return v + head * v_words() + block * (key_block / Words::pack) * columns_v;
  }
  KeysOfBlock<Words> of(std::int64_t head, std::int64_t block) const {
    return {k_block(head, block), v_block(head, block), special[head * blocks + block] != 0};
  }
};

/// Packs one block of all heads at hand: the heads of a token lie side by side in memory.
template <class Words, class Scalar>
struct PackKeys {
  PackedKeys<Words> packed;
  TensorRef k, v;
  std::int64_t total_k;
  int first_head, heads;
  int dim_qk, dim_v;

  void operator()(std::int64_t block) const {
    for (int head = 0; head < heads; ++head) {
      packed.special[head * packed.blocks + block] =
          pack_block<Words, Scalar>({k, total_k, first_head + head, dim_qk}, {v, total_k, first_head + head, dim_v},
                                    block * key_block, packed.k_block(head, block), packed.v_block(head, block));
    }
  }
};

}  // namespace caesura::host_simd
