// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/order.hpp"
#include "backends/host_tile/pack.hpp"
#include "backends/host_tile/pair_block.hpp"
#include "backends/portable/backward.hpp"

#include <cstdint>

// What the backward reads and sums up, in the order of its five products (A x B):
//   S^T = K Q^T        tiles of K's rows     x  pairs of dim, lanes of queries
//   dP^T = V dO^T      tiles of V's rows     x  pairs of dim, lanes of queries
//   dV += P^T dO       tiles of P^T          x  pairs of queries, columns of dO
//   dK += dS^T Q       tiles of dS^T         x  pairs of queries, columns of Q
//   dQ^T += K^T dS^T   tiles of K's columns  x  pairs of keys, lanes of queries

namespace caesura::host_tile {

/// Sizes of one problem's packed blocks, in tiles.
struct BackwardLayout {
  std::int64_t q_blocks = 0, k_blocks = 0;
  int steps_qk = 0, steps_v = 0;      ///< of a row
  int columns_qk = 0, columns_v = 0;  ///< across dim

  explicit BackwardLayout(const AttentionShape& shape)
      : q_blocks(tiles_of(shape.total_q, backward_block)),
        k_blocks(tiles_of(shape.total_k, backward_block)),
        steps_qk(static_cast<int>(tiles_of(shape.dim_qk, tile_depth))),
        steps_v(static_cast<int>(tiles_of(shape.dim_v, tile_depth))),
        columns_qk(static_cast<int>(tiles_of(shape.dim_qk, tile_columns))),
        columns_v(static_cast<int>(tiles_of(shape.dim_v, tile_columns))) {}

  static std::int64_t tiles_of(std::int64_t count, int size) { return (count + size - 1) / size; }
};

inline constexpr int block_tiles = backward_block / tile_rows;
/// Of a panel: 32 columns of a block's rows, as pairs or as sums.
inline constexpr int pair_panel = backward_block / 2 * panel_columns;
inline constexpr int sum_panel = backward_block * panel_columns;
inline constexpr int slice_sums = slice_rows * panel_columns;  ///< of it, a slice's: 2 x 2 tiles in one piece
constexpr int panels_of(int columns) { return (columns + 1) / 2; }

/// One block of keys of one head.
struct KeyBlock {
  Word *k_rows, *v_rows;  ///< tiles `(block_tiles, steps)`
  Word* k_columns;        ///< tiles `(columns_qk, block_slices)`
  float *dk, *dv;         ///< panels `(backward_block, panel_columns)`
  bool* special;          ///< K has an infinite value or NaN

  KeyBlock(Arena& arena, const BackwardLayout& layout)
      : k_rows(arena.take<Word>(block_tiles * layout.steps_qk * tile_words)),
        v_rows(arena.take<Word>(block_tiles * layout.steps_v * tile_words)),
        k_columns(arena.take<Word>(layout.columns_qk * block_slices * tile_words)),
        dk(arena.take<float>(panels_of(layout.columns_qk) * sum_panel)),
        dv(arena.take<float>(panels_of(layout.columns_v) * sum_panel)),
        special(arena.take<bool>(1)) {}
};

/// One block of queries of one head.
struct QueryBlock {
  Word *q_lanes, *dout_lanes;  ///< slice by slice `(16 steps, slice_rows)`
  Word *q_pairs, *dout_pairs;  ///< panels `(backward_block / 2, panel_columns)`
  float* dq;                   ///< slice by slice `(16 columns_qk, slice_rows)`, lanes in the order of `lane_of_pairs`
  float *lse, *delta;          ///< by row; lse in log2 units, +inf where a row saw nothing
  bool *q_special, *dout_special;

  QueryBlock(Arena& arena, const BackwardLayout& layout)
      : q_lanes(arena.take<Word>(block_slices * lane_words(layout.steps_qk))),
        dout_lanes(arena.take<Word>(block_slices * lane_words(layout.steps_v))),
        q_pairs(arena.take<Word>(panels_of(layout.columns_qk) * pair_panel)),
        dout_pairs(arena.take<Word>(panels_of(layout.columns_v) * pair_panel)),
        dq(arena.take<float>(block_slices * lane_words(layout.columns_qk))),
        lse(arena.take<float>(backward_block)),
        delta(arena.take<float>(backward_block)),
        q_special(arena.take<bool>(1)),
        dout_special(arena.take<bool>(1)) {}

  /// Of a slice, for so many tiles of depth or columns.
  static int lane_words(int tiles) { return tiles * tile_rows * slice_rows; }
};

/// All blocks of the key heads in flight and of the query heads that read them.
struct PackedBackward {
  BackwardLayout layout;
  std::int64_t key_bytes, query_bytes;  ///< of a block
  int group;                            ///< query heads a key head
  std::byte* keys = nullptr;
  std::byte* queries = nullptr;

  explicit PackedBackward(const AttentionShape& shape)
      : layout(shape),
        key_bytes(bytes_of<KeyBlock>(layout)),
        query_bytes(bytes_of<QueryBlock>(layout)),
        group(shape.heads_q / shape.heads_kv) {}

  /// Of so many key heads.
  std::int64_t bytes(std::int64_t heads) const {
    return heads * (layout.k_blocks * key_bytes + group * layout.q_blocks * query_bytes);
  }
  void place(std::byte* memory, std::int64_t heads) {
    keys = memory;
    queries = memory + heads * layout.k_blocks * key_bytes;
  }

  KeyBlock key_block(std::int64_t head, std::int64_t block) const {
    Arena arena(reinterpret_cast<char*>(keys + (head * layout.k_blocks + block) * key_bytes));
    return KeyBlock(arena, layout);
  }
  QueryBlock query_block(std::int64_t head, std::int64_t block) const {
    Arena arena(reinterpret_cast<char*>(queries + (head * layout.q_blocks + block) * query_bytes));
    return QueryBlock(arena, layout);
  }

 private:
  template <class BlockType>
  static std::int64_t bytes_of(const BackwardLayout& layout) {
    Arena counting(nullptr);
    const BlockType block(counting, layout);
    return counting.used();
  }
};

/// The block's rows that exist, in whole slices: no more are packed, cleared or read.
inline int rows_of_block(std::int64_t total, std::int64_t block) {
  return round_up(static_cast<int>(std::min<std::int64_t>(backward_block, total - block * backward_block)), slice_rows);
}

/// Packs one block of keys and clears its sums.
struct PackKeyBlock {
  PackedBackward packed;
  BackwardProblem problem;
  int first_head;

  void operator()(std::int64_t item) const {
    const BackwardLayout& layout = packed.layout;
    const AttentionShape& shape = problem.shape;
    const std::int64_t own_head = item / layout.k_blocks, block = item % layout.k_blocks;
    const int head = first_head + static_cast<int>(own_head);
    const std::int64_t begin = block * backward_block;
    const int rows = rows_of_block(shape.total_k, block);
    const KeyBlock to = packed.key_block(own_head, block);
    const RowSpan k{problem.k, shape.total_k, head, shape.dim_qk}, v{problem.v, shape.total_k, head, shape.dim_v};
    for (int row = 0; row < rows; row += tile_rows) {
      pack_rows(k, begin + row, to.k_rows + row / tile_rows * layout.steps_qk * tile_words);
      pack_rows(v, begin + row, to.v_rows + row / tile_rows * layout.steps_v * tile_words);
    }
    *to.special = pack_columns(k, begin, rows / slice_rows, block_slices, to.k_columns);
    for (int p = 0; p < panels_of(layout.columns_qk); ++p)
      std::fill_n(to.dk + p * sum_panel, rows * panel_columns, 0.0F);
    for (int p = 0; p < panels_of(layout.columns_v); ++p)
      std::fill_n(to.dv + p * sum_panel, rows * panel_columns, 0.0F);
  }
};

/// Packs one block of queries and clears its sums.
struct PackQueryBlock {
  PackedBackward packed;
  BackwardProblem problem;
  int first_head;  ///< of the query heads

  void operator()(std::int64_t item) const {
    const BackwardLayout& layout = packed.layout;
    const AttentionShape& shape = problem.shape;
    const std::int64_t own_head = item / layout.q_blocks, block = item % layout.q_blocks;
    const int head = first_head + static_cast<int>(own_head);
    const std::int64_t begin = block * backward_block;
    const int rows = rows_of_block(shape.total_q, block);
    const QueryBlock to = packed.query_block(own_head, block);
    const RowSpan q{problem.q, shape.total_q, head, shape.dim_qk};
    const RowSpan dout{problem.dout, shape.total_q, head, shape.dim_v};
    for (int row = 0; row < rows; row += tile_columns) {
      const int slice = row / slice_rows, lane = row % slice_rows;
      pack_lanes(q, begin + row, to.q_lanes + slice * QueryBlock::lane_words(layout.steps_qk) + lane, slice_rows);
      pack_lanes(dout, begin + row, to.dout_lanes + slice * QueryBlock::lane_words(layout.steps_v) + lane, slice_rows);
    }
    *to.q_special = pack_pairs(q, begin, rows, pair_panel, to.q_pairs);
    *to.dout_special = pack_pairs(dout, begin, rows, pair_panel, to.dout_pairs);
    std::fill_n(to.dq, rows / slice_rows * QueryBlock::lane_words(layout.columns_qk), 0.0F);
    const portable::DeltaRef<float> delta{static_cast<float*>(problem.workspace), shape.total_q};
    for (int row = 0; row < rows; ++row) {
      const bool exists = begin + row < shape.total_q;
      to.lse[row] =
          exists ? portable::saved_lse<float>(problem.lse, begin + row, head) : Kokkos::Experimental::infinity_v<float>;
      to.delta[row] = exists ? delta(begin + row, head) : 0.0F;
    }
  }
};

/// Writes the sums of one block of queries.
struct StoreQueryBlock {
  PackedBackward packed;
  BackwardProblem problem;
  int first_head;

  void operator()(std::int64_t item) const {
    const BackwardLayout& layout = packed.layout;
    const std::int64_t own_head = item / layout.q_blocks, block = item % layout.q_blocks;
    const QueryBlock from = packed.query_block(own_head, block);
    const host_simd::Vector<float> scale(static_cast<float>(problem.shape.scale));
    const AttentionShape& shape = problem.shape;
    const host_simd::Write write = problem.accumulate_q
                                       ? host_simd::Write::add
                                       : host_simd::replacing<bfloat16>(shape.total_q, shape.heads_q, shape.dim_qk);
    const int rows = rows_of_block(shape.total_q, block);
    for (int row = 0; row < rows; row += slice_rows) {
      float* const dq = from.dq + row / slice_rows * QueryBlock::lane_words(layout.columns_qk);
      order_lanes(dq, layout.columns_qk * tile_rows);
      for (int lane = 0; lane < slice_rows; lane += width<float>) {
        const std::int64_t begin = block * backward_block + row + lane;
        const auto count = static_cast<int>(std::clamp<std::int64_t>(shape.total_q - begin, 0, width<float>));
        host_simd::unpack_lanes<bfloat16, float>(problem.dq, begin, count, first_head + static_cast<int>(own_head),
                                                 shape.dim_qk, dq + lane, slice_rows, scale, write);
      }
    }
    host_simd::fence_streams();
  }
};

/// Writes the sums of one block of keys.
struct StoreKeyBlock {
  PackedBackward packed;
  BackwardProblem problem;
  int first_head;

  void operator()(std::int64_t item) const {
    const std::int64_t own_head = item / packed.layout.k_blocks, block = item % packed.layout.k_blocks;
    const KeyBlock from = packed.key_block(own_head, block);
    const int head = first_head + static_cast<int>(own_head);
    store(problem.dk, block, head, problem.shape.dim_qk, from.dk, static_cast<float>(problem.shape.scale));
    store(problem.dv, block, head, problem.shape.dim_v, from.dv, 1.0F);
    host_simd::fence_streams();
  }

 private:
  void store(const TensorRef& tensor, std::int64_t block, int head, int dim, const float* from, float factor) const {
    const AttentionShape& shape = problem.shape;
    const std::int64_t begin = block * backward_block;
    const auto count = static_cast<int>(std::min<std::int64_t>(backward_block, shape.total_k - begin));
    const host_simd::Write write =
        problem.accumulate ? host_simd::Write::add : host_simd::replacing<bfloat16>(shape.total_k, shape.heads_kv, dim);
    for (int row = 0; row < count; ++row) {
      for (int c = 0; c < dim; c += panel_columns) {
        const float* const values = from + c / panel_columns * sum_panel + row * panel_columns;
        host_simd::write_values<bfloat16>(tensor, begin + row, head, c, std::min(panel_columns, dim - c), values,
                                          factor, write);
      }
    }
  }
};

}  // namespace caesura::host_tile
