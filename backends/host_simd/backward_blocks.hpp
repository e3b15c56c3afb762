// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/order.hpp"
#include "backends/host_simd/tensor_rows.hpp"
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

  int depth_qk = 0, depth_v = 0;      ///< words of a row
  int panels_qk = 0;                  ///< dim_qk, rounded up to whole panels
  int columns_qk = 0, columns_v = 0;  ///< dims, rounded up to whole vectors

  explicit BackwardLayout(const AttentionShape& shape)
      : depth_qk(words_of(shape.dim_qk, Words::pack)),
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

/// What a block takes, in bytes.
template <class Block, class Words>
std::int64_t bytes_of(const BackwardLayout<Words>& layout) {
  Arena counting(nullptr);
  const Block block(counting, layout);
  return counting.used();
}

/// How rows of tensors become blocks, and sums of blocks rows of tensors.
template <class Words, class Scalar>
struct BackwardBlocks {
  using Real = typename Words::Real;
  using Layout = BackwardLayout<Words>;

  BackwardProblem problem;
  Layout layout;

  explicit BackwardBlocks(const BackwardProblem& problem_) : problem(problem_), layout(problem_.shape) {}

  /// Packs rows of one key head and clears their sums.
  void pack_keys(RowRange rows, int head, const KeyBlock<Words>& to) const {
    const RowSpan k{problem.k, rows.end, head, problem.shape.dim_qk}, v{problem.v, rows.end, head, problem.shape.dim_v};
    constexpr int panel = Layout::panel;
    for (int row = 0; row < round_up(rows.count(), panel); row += panel) {
      pack_rows<Words, Scalar, panel>(k, rows.begin + row, 1, to.k_rows + row * layout.depth_qk, panel);
      pack_rows<Words, Scalar, panel>(v, rows.begin + row, 1, to.v_rows + row * layout.depth_v, panel);
    }
    constexpr int depth = backward_block / Words::pack;
    *to.special = pack_columns<Words, Scalar, panel>(k, rows.begin, depth, layout.panels_qk, to.k_columns);
    std::fill_n(to.dk, backward_block * layout.columns_qk, Real(0));
    std::fill_n(to.dv, backward_block * layout.columns_v, Real(0));
  }

  /// Packs rows of one query head, with their delta, and clears their sums.
  void pack_queries(RowRange rows, int head, const QueryBlock<Words>& to) const {
    const AttentionShape& shape = problem.shape;
    const RowSpan q{problem.q, rows.end, head, shape.dim_qk}, dout{problem.dout, rows.end, head, shape.dim_v};
    constexpr int lanes = Layout::lanes, size = width<Real>;
    const Real factor = Words::pack == 1 ? portable::PairGradient<Real>::score_factor(shape) : Real(1);
    for (int row = 0; row < round_up(rows.count(), lanes); row += size) {
      const int slice = row / lanes * lanes, lane = row % lanes;
      pack_rows<Words, Scalar, size>(q, rows.begin + row, factor, to.q_rows + slice * layout.depth_qk + lane, lanes);
      pack_rows<Words, Scalar, size>(dout, rows.begin + row, 1, to.dout_rows + slice * layout.depth_v + lane, lanes);
    }
    constexpr int depth = backward_block / Words::pack;
    *to.q_special = pack_columns<Words, Scalar, lanes>(q, rows.begin, depth, layout.columns_qk, to.q_columns);
    *to.dout_special = pack_columns<Words, Scalar, lanes>(dout, rows.begin, depth, layout.columns_v, to.dout_columns);
    std::fill_n(to.dq, backward_block * layout.panels_qk, Real(0));
    std::fill_n(to.lse, backward_block, Kokkos::Experimental::infinity_v<Real>);
    std::fill_n(to.delta, backward_block, Real(0));
    for (int i = 0; i < rows.count(); ++i) to.lse[i] = portable::saved_lse<Real>(problem.lse, rows.begin + i, head);
    find_delta<Scalar>(problem, rows.begin, rows.count(), head, to.delta);
  }

  void store_queries(RowRange rows, int head, const QueryBlock<Words>& from) const {
    const AttentionShape& shape = problem.shape;
    constexpr int lanes = Layout::lanes, size = width<Real>;
    const Write write =
        problem.accumulate_q ? Write::add : replacing<Scalar>(shape.total_q, shape.heads_q, shape.dim_qk);
    for (int row = 0; row < rows.count(); row += size) {
      unpack_lanes<Scalar, Real>(problem.dq, rows.begin + row, std::min(size, rows.count() - row), head, shape.dim_qk,
                                 from.dq + row / lanes * lanes * layout.panels_qk + row % lanes, lanes,
                                 Vector<Real>(static_cast<Real>(shape.scale)), write);
    }
  }

  void store_keys(RowRange rows, int head, const KeyBlock<Words>& from) const {
    store(problem.dk, rows, head, problem.shape.dim_qk, layout.columns_qk, from.dk,
          static_cast<Real>(problem.shape.scale));
    store(problem.dv, rows, head, problem.shape.dim_v, layout.columns_v, from.dv, Real(1));
  }

 private:
  void store(const TensorRef& tensor, RowRange rows, int head, int dim, int columns, const Real* from,
             Real factor) const {
    constexpr int lanes = Layout::lanes;
    const AttentionShape& shape = problem.shape;
    const Write write = problem.accumulate ? Write::add : replacing<Scalar>(shape.total_k, shape.heads_kv, dim);
    for (int row = 0; row < rows.count(); ++row) {
      for (int c = 0; c < dim; c += lanes) {
        const Real* values = from + c * backward_block + row * std::min(lanes, columns - c);
        write_values<Scalar>(tensor, rows.begin + row, head, c, std::min(lanes, dim - c), values, factor, write);
      }
    }
  }
};

}  // namespace caesura::host_simd
