// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/backward_products.hpp"

// Backward of clusters that one thread's cache does not hold: groups of queries and of keys meet in an order in which each
// owns its sums (order.hpp). All blocks of some heads are packed before.

namespace caesura::host_simd {

/// All blocks of the key heads in flight and of the query heads that read them.
template <class Words>
struct PackedGroups {
  BackwardLayout<Words> layout;
  std::int64_t q_blocks, k_blocks;      ///< of a head
  const RowRange *q_rows, *k_rows;      ///< by block
  std::int64_t key_bytes, query_bytes;  ///< of a block
  int group;                            ///< query heads a key head
  std::byte* keys = nullptr;
  std::byte* queries = nullptr;

  PackedGroups(const AttentionShape& shape, const BackwardOrder& order)
      : layout(shape),
        q_blocks(static_cast<std::int64_t>(order.queries().blocks.size())),
        k_blocks(static_cast<std::int64_t>(order.keys().blocks.size())),
        q_rows(order.queries().blocks.data()),
        k_rows(order.keys().blocks.data()),
        key_bytes(bytes_of<KeyBlock<Words>>(layout)),
        query_bytes(bytes_of<QueryBlock<Words>>(layout)),
        group(shape.heads_q / shape.heads_kv) {}

  /// Of so many key heads.
  std::int64_t bytes(std::int64_t heads) const {
    return heads * (k_blocks * key_bytes + group * q_blocks * query_bytes);
  }
  void place(std::byte* memory, std::int64_t heads) {
    keys = memory;
    queries = memory + heads * k_blocks * key_bytes;
  }

  KeyBlock<Words> key_block(std::int64_t head, std::int64_t block) const {
    Arena arena(reinterpret_cast<char*>(keys + (head * k_blocks + block) * key_bytes));
    return KeyBlock<Words>(arena, layout);
  }
  QueryBlock<Words> query_block(std::int64_t head, std::int64_t block) const {
    Arena arena(reinterpret_cast<char*>(queries + (head * q_blocks + block) * query_bytes));
    return QueryBlock<Words>(arena, layout);
  }
};

/// Work item: a pair of groups, one key head with the query heads that read it.
template <class Scalar, class Words>
struct BackwardOfGroups {
  using Rows = typename BackwardProducts<Scalar, Words>::Rows;

  BackwardProducts<Scalar, Words> products;
  PackedGroups<Words> packed;
  const GroupPair* pairs;
  const GroupedRows::Group *q_groups, *k_groups;
  PairGates gates;
  const SliceRange* ranges;
  int heads;       ///< key heads in flight
  int first_head;  ///< of them

  void operator()(std::int64_t item) const {
    constexpr int slices = BackwardLayout<Words>::slices;
    const GroupPair pair = pairs[item / heads];
    const int head_kv = static_cast<int>(item % heads);
    gates.enter(pair, head_kv);
    const GroupedRows::Group q_group = q_groups[pair.queries], k_group = k_groups[pair.keys];
    for_each_part(q_group.begin, q_group.end, group_rows / backward_block, packed.group, [&](QueryPart part) {
      const int head = head_kv * packed.group + part.head;
      for (std::int64_t k = k_group.begin; k < k_group.end; ++k) {
        const KeyBlock<Words> keys = packed.key_block(head_kv, k);
        for (std::int64_t q = part.end; q-- > part.begin;) {
          const Rows rows = {packed.k_rows[k].begin, packed.q_rows[q], first_head * packed.group + head};
          products.add(keys, packed.query_block(head, q), rows, ranges + q * slices, packed.q_blocks * slices);
        }
      }
    });
    gates.leave(pair, head_kv);
  }
};

}  // namespace caesura::host_simd
