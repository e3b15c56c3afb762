// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pack.hpp"
#include "backends/host_simd/slices.hpp"
#include "backends/portable/backward.hpp"

#include <cstdint>

// What the backward reads and sums up, in the order of its five products:
//   S^T = K Q^T     panels of K's rows     x  lanes of queries
//   dP^T = V dO^T   panels of V's rows     x  lanes of queries
//   dQ^T += K^T dS^T  panels of K's columns  x  lanes of queries
//   dV += P^T dO    rows of P^T            x  lanes of dO's columns
//   dK += dS^T Q    rows of dS^T           x  lanes of Q's columns

namespace caesura::host_simd {

using portable::Arena;

/// Rows of both sides are packed, and visited, in blocks of this many: P^T and dS^T of two blocks stay in the first cache.
inline constexpr int backward_block = 64;

/// Sizes of one problem's packed blocks, in words and numbers.
template <class Words>
struct BackwardLayout {
  using Real = typename Words::Real;
  static constexpr int panel = Block<Real>::rows;
  static constexpr int lanes = Block<Real>::lanes;
  static constexpr int slices = backward_block / lanes;  ///< of a block of queries

  std::int64_t q_blocks = 0, k_blocks = 0;
  int depth_qk = 0, depth_v = 0;      ///< words of a row
  int panels_qk = 0;                  ///< dim_qk, rounded up to whole panels
  int columns_qk = 0, columns_v = 0;  ///< dims, rounded up to whole vectors

  explicit BackwardLayout(const AttentionShape& shape)
      : q_blocks((shape.total_q + backward_block - 1) / backward_block),
        k_blocks((shape.total_k + backward_block - 1) / backward_block),
        depth_qk(words_of(shape.dim_qk, Words::pack)),
        depth_v(words_of(shape.dim_v, Words::pack)),
        panels_qk(round_up(shape.dim_qk, panel)),
        columns_qk(round_up(shape.dim_qk, width<Real>)),
        columns_v(round_up(shape.dim_v, width<Real>)) {}
};

/// One block of keys of one head.
template <class Words>
struct KeyBlock {
  using Word = typename Words::Word;
  using Real = typename Words::Real;
  Word *k_rows, *v_rows;  ///< panels `(depth, panel)`
  Word* k_columns;        ///< panels `(backward_block / pack, panel)`
  Real *dk, *dv;          ///< by lanes of columns: `(backward_block, lanes)`
  bool* special;          ///< K has an infinite value or NaN

  KeyBlock(Arena& arena, const BackwardLayout<Words>& layout)
      : k_rows(arena.take<Word>(backward_block * layout.depth_qk)),
        v_rows(arena.take<Word>(backward_block * layout.depth_v)),
        k_columns(arena.take<Word>(backward_block / Words::pack * layout.panels_qk)),
        dk(arena.take<Real>(backward_block * layout.columns_qk)),
        dv(arena.take<Real>(backward_block * layout.columns_v)),
        special(arena.take<bool>(1)) {}
};

/// One block of queries of one head.
template <class Words>
struct QueryBlock {
  using Word = typename Words::Word;
  using Real = typename Words::Real;
  Word *q_rows, *dout_rows;        ///< slice by slice `(depth, lanes)`
  Word *q_columns, *dout_columns;  ///< by lanes of columns: `(backward_block / pack, lanes)`
  Real* dq;                        ///< slice by slice `(panels_qk, lanes)`
  Real *lse, *delta;               ///< by row; lse in log2 units, +inf where a row saw nothing
  bool *q_special, *dout_special;

  QueryBlock(Arena& arena, const BackwardLayout<Words>& layout)
      : q_rows(arena.take<Word>(backward_block * layout.depth_qk)),
        dout_rows(arena.take<Word>(backward_block * layout.depth_v)),
        q_columns(arena.take<Word>(backward_block / Words::pack * layout.columns_qk)),
        dout_columns(arena.take<Word>(backward_block / Words::pack * layout.columns_v)),
        dq(arena.take<Real>(backward_block * layout.panels_qk)),
        lse(arena.take<Real>(backward_block)),
        delta(arena.take<Real>(backward_block)),
        q_special(arena.take<bool>(1)),
        dout_special(arena.take<bool>(1)) {}
};

/// All blocks of the key heads in flight and of the query heads that read them.
template <class Words>
struct PackedBackward {
  BackwardLayout<Words> layout;
  std::int64_t key_bytes, query_bytes;  ///< of a block
  int group;                            ///< query heads a key head
  std::byte* keys = nullptr;
  std::byte* queries = nullptr;

  explicit PackedBackward(const AttentionShape& shape)
      : layout(shape),
        key_bytes(bytes_of<KeyBlock<Words>>(layout)),
        query_bytes(bytes_of<QueryBlock<Words>>(layout)),
        group(shape.heads_q / shape.heads_kv) {}

  /// Of so many key heads.
  std::int64_t bytes(std::int64_t heads) const {
    return heads * (layout.k_blocks * key_bytes + group * layout.q_blocks * query_bytes);
  }
  void place(std::byte* memory, std::int64_t heads) {
    keys = memory;
    queries = memory + heads * layout.k_blocks * key_bytes;
  }

  KeyBlock<Words> key_block(std::int64_t head, std::int64_t block) const {
    Arena arena(reinterpret_cast<char*>(keys + (head * layout.k_blocks + block) * key_bytes));
    return KeyBlock<Words>(arena, layout);
  }
  QueryBlock<Words> query_block(std::int64_t head, std::int64_t block) const {
    Arena arena(reinterpret_cast<char*>(queries + (head * layout.q_blocks + block) * query_bytes));
    return QueryBlock<Words>(arena, layout);
  }

 private:
  template <class BlockType>
  static std::int64_t bytes_of(const BackwardLayout<Words>& layout) {
    Arena counting(nullptr);
    const BlockType block(counting, layout);
    return counting.used();
  }
};

/// Packs one block of keys and clears its sums.
template <class Words, class Scalar>
struct PackKeyBlock {
  PackedBackward<Words> packed;
  BackwardProblem problem;
  int first_head;

  void operator()(std::int64_t item) const {
    using Layout = BackwardLayout<Words>;
    const Layout& layout = packed.layout;
    const AttentionShape& shape = problem.shape;
    const std::int64_t head = item / layout.k_blocks, block = item % layout.k_blocks;
    const std::int64_t begin = block * backward_block;
    const KeyBlock<Words> to = packed.key_block(head, block);
    const RowSpan k{problem.k, shape.total_k, first_head + static_cast<int>(head), shape.dim_qk};
    const RowSpan v{problem.v, shape.total_k, first_head + static_cast<int>(head), shape.dim_v};
    constexpr int panel = Layout::panel;
    for (int row = 0; row < backward_block; row += panel) {
      pack_rows<Words, Scalar, panel>(k, begin + row, 1, to.k_rows + row * layout.depth_qk, panel);
      pack_rows<Words, Scalar, panel>(v, begin + row, 1, to.v_rows + row * layout.depth_v, panel);
    }
    *to.special =
        pack_columns<Words, Scalar, panel>(k, begin, backward_block / Words::pack, layout.panels_qk, to.k_columns);
    std::fill_n(to.dk, backward_block * layout.columns_qk, typename Words::Real(0));
    std::fill_n(to.dv, backward_block * layout.columns_v, typename Words::Real(0));
  }
};

/// Packs one block of queries and clears its sums.
template <class Words, class Scalar>
struct PackQueryBlock {
  using Real = typename Words::Real;

  PackedBackward<Words> packed;
  BackwardProblem problem;
  int first_head;     ///< of the query heads
  Real score_factor;  ///< folded into the rows of Q where words are numbers

  void operator()(std::int64_t item) const {
    using Layout = BackwardLayout<Words>;
    const Layout& layout = packed.layout;
    const AttentionShape& shape = problem.shape;
    const std::int64_t own_head = item / layout.q_blocks, block = item % layout.q_blocks;
    const int head = first_head + static_cast<int>(own_head);
    const std::int64_t begin = block * backward_block;
    const QueryBlock<Words> to = packed.query_block(own_head, block);
    const RowSpan q{problem.q, shape.total_q, head, shape.dim_qk};
    const RowSpan dout{problem.dout, shape.total_q, head, shape.dim_v};
    constexpr int lanes = Layout::lanes, size = width<Real>;
    const Real factor = Words::pack == 1 ? score_factor : Real(1);
    for (int row = 0; row < backward_block; row += size) {
      const int slice = row / lanes * lanes, lane = row % lanes;
      pack_rows<Words, Scalar, size>(q, begin + row, factor, to.q_rows + slice * layout.depth_qk + lane, lanes);
      pack_rows<Words, Scalar, size>(dout, begin + row, 1, to.dout_rows + slice * layout.depth_v + lane, lanes);
    }
    constexpr int depth = backward_block / Words::pack;
    *to.q_special = pack_columns<Words, Scalar, lanes>(q, begin, depth, layout.columns_qk, to.q_columns);
    *to.dout_special = pack_columns<Words, Scalar, lanes>(dout, begin, depth, layout.columns_v, to.dout_columns);
    std::fill_n(to.dq, backward_block * layout.panels_qk, Real(0));
    const portable::DeltaRef<Real> delta{static_cast<Real*>(problem.workspace), shape.total_q};
    for (int row = 0; row < backward_block; ++row) {
      const bool exists = begin + row < shape.total_q;
      to.lse[row] =
          exists ? portable::saved_lse<Real>(problem.lse, begin + row, head) : Kokkos::Experimental::infinity_v<Real>;
      to.delta[row] = exists ? delta(begin + row, head) : Real(0);
    }
  }
};

/// Writes the sums of one block of queries.
template <class Words, class Scalar>
struct StoreQueryBlock {
  using Real = typename Words::Real;

  PackedBackward<Words> packed;
  BackwardProblem problem;
  int first_head;

  void operator()(std::int64_t item) const {
    const auto& layout = packed.layout;
    constexpr int lanes = BackwardLayout<Words>::lanes, size = width<Real>;
    const std::int64_t own_head = item / layout.q_blocks, block = item % layout.q_blocks;
    const QueryBlock<Words> from = packed.query_block(own_head, block);
    const AttentionShape& shape = problem.shape;
    const Write write =
        problem.accumulate_q ? Write::add : replacing<Scalar>(shape.total_q, shape.heads_q, shape.dim_qk);
    for (int row = 0; row < backward_block; row += size) {
      const std::int64_t begin = block * backward_block + row;
      const auto count = static_cast<int>(std::clamp<std::int64_t>(shape.total_q - begin, 0, size));
      unpack_lanes<Scalar, Real>(problem.dq, begin, count, first_head + static_cast<int>(own_head), shape.dim_qk,
                                 from.dq + row / lanes * lanes * layout.panels_qk + row % lanes, lanes,
                                 Vector<Real>(static_cast<Real>(shape.scale)), write);
    }
    fence_streams();
  }
};

/// Writes the sums of one block of keys.
template <class Words, class Scalar>
struct StoreKeyBlock {
  using Real = typename Words::Real;

  PackedBackward<Words> packed;
  BackwardProblem problem;
  int first_head;

  void operator()(std::int64_t item) const {
    const auto& layout = packed.layout;
    const std::int64_t own_head = item / layout.k_blocks, block = item % layout.k_blocks;
    const KeyBlock<Words> from = packed.key_block(own_head, block);
    const int head = first_head + static_cast<int>(own_head);
    store(problem.dk, block, head, problem.shape.dim_qk, layout.columns_qk, from.dk,
          static_cast<Real>(problem.shape.scale));
    store(problem.dv, block, head, problem.shape.dim_v, layout.columns_v, from.dv, Real(1));
    fence_streams();
  }

 private:
  void store(const TensorRef& tensor, std::int64_t block, int head, int dim, int columns, const Real* from,
             Real factor) const {
    constexpr int lanes = BackwardLayout<Words>::lanes;
    const std::int64_t begin = block * backward_block;
    const AttentionShape& shape = problem.shape;
    const auto count = static_cast<int>(std::min<std::int64_t>(backward_block, shape.total_k - begin));
    const Write write = problem.accumulate ? Write::add : replacing<Scalar>(shape.total_k, shape.heads_kv, dim);
    for (int row = 0; row < count; ++row) {
      for (int c = 0; c < dim; c += lanes) {
        const Real* values = from + c * backward_block + row * std::min(lanes, columns - c);
        write_values<Scalar>(tensor, begin + row, head, c, std::min(lanes, dim - c), values, factor, write);
      }
    }
  }
};

}  // namespace caesura::host_simd
