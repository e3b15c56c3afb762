// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/backward_products.hpp"
#include "backends/host_simd/clusters.hpp"

// Backward of clusters whose keys one thread's cache holds (clusters.hpp): keys of a head are packed there and their sums
// kept there, queries go past them a block at a time. Sums are those of `BackwardOfGroups`, in the same order.

namespace caesura::host_simd {

/// What a thread packs: all keys of a cluster, 64 queries at a time; one head of each.
template <class Words>
struct ClusterBlocks {
  std::int64_t key_bytes;  ///< of a block
  char* keys;              ///< blocks
  SliceRange* ranges;      ///< of the block of queries at hand `(layers, slices)`
  QueryBlock<Words> queries;

  ClusterBlocks(Arena& arena, const BackwardLayout<Words>& layout, std::int64_t most_keys, std::int32_t layers)
      : key_bytes(bytes_of<KeyBlock<Words>>(layout)),
        keys(arena.take<char>(RowRange{0, most_keys}.pieces(backward_block) * key_bytes)),
        ranges(arena.take<SliceRange>(layers * BackwardLayout<Words>::slices)),
        queries(arena, layout) {}
};

/// Work item: a cluster, one key head with the query heads that read it.
template <class Space, class Scalar, class Words>
struct BackwardOfClusters {
  using Real = typename Words::Real;
  using Layout = BackwardLayout<Words>;
  using Scratch = ClusterBlocks<Words>;
  using Threads = Kokkos::Experimental::UniqueToken<Space, Kokkos::Experimental::UniqueTokenScope::Global>;

  BackwardBlocks<Words, Scalar> blocks;
  BackwardProducts<Scalar, Words> products;
  const Cluster* clusters;
  std::int64_t most_keys;
  Threads threads;
  std::byte* memory;
  std::int64_t bytes_of_thread;

  void operator()(std::int64_t item) const {
    const auto thread = threads.acquire();
    Arena arena(reinterpret_cast<char*>(memory + thread * bytes_of_thread));
    differentiate(arena, clusters[item / blocks.problem.shape.heads_kv],
                  static_cast<int>(item % blocks.problem.shape.heads_kv));
    threads.release(thread);
  }

 private:
  void differentiate(Arena& arena, const Cluster& cluster, int head_kv) const {
    const AttentionShape& shape = blocks.problem.shape;
    const RowIntervals& intervals = blocks.problem.rows.intervals;
    const int group = shape.heads_q / shape.heads_kv;
    const Scratch scratch(arena, blocks.layout, most_keys, intervals.layers);
    const auto key_block = [&](std::int64_t i) {
      Arena own(scratch.keys + i * scratch.key_bytes);
      return KeyBlock<Words>(own, blocks.layout);
    };
    const RowRange rows{cluster.q_begin, cluster.q_end}, keys{cluster.k_begin, cluster.k_end};
    const std::int64_t k_blocks = keys.pieces(backward_block);
    for (std::int64_t k = 0; k < k_blocks; ++k) blocks.pack_keys(keys.piece(k, backward_block), head_kv, key_block(k));
    for_each_part(0, rows.pieces(backward_block), group_rows / backward_block, group, [&](QueryPart part) {
      const int head = head_kv * group + part.head;
      for (std::int64_t q = part.end; q-- > part.begin;) {
        const RowRange own = rows.piece(q, backward_block);
        blocks.pack_queries(own, head, scratch.queries);
        for (std::int32_t layer = 0; layer < intervals.layers; ++layer) {
          for (int s = 0; s < Layout::slices; ++s)
            scratch.ranges[layer * Layout::slices + s] =
                range_of(intervals, layer, own.piece(s, Layout::lanes), Layout::lanes);
        }
        for (std::int64_t k = 0; k < k_blocks; ++k) {
          products.add(key_block(k), scratch.queries, {keys.piece(k, backward_block).begin, own, head}, scratch.ranges,
                       Layout::slices);
        }
        blocks.store_queries(own, head, scratch.queries);
      }
    });
    for (std::int64_t k = 0; k < k_blocks; ++k) blocks.store_keys(keys.piece(k, backward_block), head_kv, key_block(k));
    fence_streams();
  }
};

}  // namespace caesura::host_simd
