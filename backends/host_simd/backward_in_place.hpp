// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/clusters.hpp"
#include "backends/host_simd/multiply_in_place.hpp"
#include "backends/host_simd/pack.hpp"
#include "backends/host_simd/pair_slice.hpp"
#include "backends/host_simd/slices.hpp"
#include "backends/host_simd/tensor_rows.hpp"

// Backward of short documents, each of which owns its sums (clusters.hpp): Q, K, V and dO are read where they lie.
//   S^T = K Q^T, dP^T = V dO^T    rows of K, V       x  lanes of queries: Q and dO transposed, one vector at a time
//   dQ += dS K                    columns of dS^T    x  lanes of K's columns
//   dV += P^T dO, dK += dS^T Q    rows of P^T, dS^T  x  lanes of dO's, Q's columns

namespace caesura::host_simd {

using portable::Arena;

/// Keys of a cluster at most: of larger ones, packed blocks take less time (AVX-512: from 13 to 16 vectors on; AVX2: float
/// from 25 to 32 on and 3 percent more before, double from 16 or fewer on).
template <class Real>
inline constexpr int keys_in_place = 14 * width<Real>;

template <class Real>
struct ClusterScratch {
  static constexpr int lanes = width<Real>;
  static constexpr int keys = keys_in_place<Real> + 2 * Block<Real>::rows;  ///< panels may begin with any of them
  Real *q, *dout;                                                           ///< `(dim, lanes)`
  Real *weights, *ds;                                                       ///< `(keys, lanes)`: P^T, dS^T
  Real *slopes, *kept;                                                      ///< `(keys, lanes)`
  Real *lse, *delta;                                                        ///< by lane
  Real* dq;                                                                 ///< `(lanes, columns_qk)`
  Real *dk, *dv;                                                            ///< `(keys, columns)`
  Real *q_rows, *dout_rows;                                                 ///< of a slice that cannot be read in place
  Real *k_rows, *v_rows;                                                    ///< of such a cluster
  std::int32_t *first, *last;                                               ///< by lane

  ClusterScratch(Arena& arena, const AttentionShape& shape) {
    const int columns_qk = round_up(shape.dim_qk, lanes), columns_v = round_up(shape.dim_v, lanes);
    const auto take = [&](int rows, int columns) { return arena.take<Real>(rows * columns); };
    q = take(lanes, shape.dim_qk);
    dout = take(lanes, shape.dim_v);
    for (Real** const buffer : {&weights, &ds, &slopes, &kept}) *buffer = take(keys, lanes);
    lse = take(1, lanes);
    delta = take(1, lanes);
    dq = take(lanes, columns_qk);
    dk = take(keys, columns_qk);
    dv = take(keys, columns_v);
    q_rows = take(lanes, columns_qk);
    dout_rows = take(lanes, columns_v);
    k_rows = take(keys, columns_qk);
    v_rows = take(keys, columns_v);
    first = arena.take<std::int32_t>(lanes);
    last = arena.take<std::int32_t>(lanes);
  }
};

/// Work item: some clusters, one after another, with some key heads and all query heads that read them.
template <class Space, class Scalar>
struct BackwardInPlace {
  using Words = RealWords<Scalar>;
  using Real = typename Words::Real;
  using Scratch = ClusterScratch<Real>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  using Rows = TensorRows<Real>;
  static constexpr int lanes = width<Real>;
  static constexpr int key_panel = 2 * Block<Real>::rows;  ///< of S^T and dP^T
  static constexpr int panel = std::min(Block<Real>::rows, lanes);

  BackwardProblem problem;
  portable::PairGradient<Real> pair;
  const Cluster* clusters;
  std::int64_t cluster_count, clusters_of_item;
  int heads_of_item;  ///< key heads
  std::int64_t scratch_bytes;

  void operator()(const Member& team) const {
    const int parts = problem.shape.heads_kv / heads_of_item;
    const std::int64_t begin = team.league_rank() / parts * clusters_of_item;
    const int first_head = team.league_rank() % parts * heads_of_item;
    Arena arena(portable::scratch_of<portable::Tile<Space, Real>>(team, scratch_bytes));
    const Scratch scratch(arena, problem.shape);
    for (std::int64_t i = begin; i < std::min(begin + clusters_of_item, cluster_count); ++i) {
      for (int head = 0; head < heads_of_item; ++head)
        differentiate(scratch, clusters[i], first_head + head, head + 1 == heads_of_item);
    }
    fence_streams();
  }

 private:
  int columns_qk() const { return round_up(problem.shape.dim_qk, lanes); }
  int columns_v() const { return round_up(problem.shape.dim_v, lanes); }
  RowSpan k_span(int head) const { return {problem.k, problem.shape.total_k, head, problem.shape.dim_qk}; }
  RowSpan v_span(int head) const { return {problem.v, problem.shape.total_k, head, problem.shape.dim_v}; }
  RowSpan q_span(int head) const { return {problem.q, problem.shape.total_q, head, problem.shape.dim_qk}; }
  RowSpan dout_span(int head) const { return {problem.dout, problem.shape.total_q, head, problem.shape.dim_v}; }

  /// Rows in place, or copied to \p copies where they lie in another way or are no whole vectors.
  static Rows rows_of(const RowSpan& span, std::int64_t begin, int rows, Real* copies) {
    const int columns = round_up(span.dim, lanes);
    if (span.dim == columns && lies_in_place<Scalar, Real>(span, begin, rows))
      return rows_in_place<Scalar, Real>(span, begin);
    for (int r = 0; r < rows; ++r) read_line<Words, Scalar>(span, begin + r, 1, columns, copies + r * columns);
    return {copies, columns};
  }

  /// One key head of a cluster.
  void differentiate(const Scratch& scratch, const Cluster& cluster, int head_kv, bool is_last) const {
    const AttentionShape& shape = problem.shape;
    const int group = shape.heads_q / shape.heads_kv;
    const auto keys = static_cast<int>(cluster.k_end - cluster.k_begin);
    const int readable = std::min(keys + key_panel, Scratch::keys);  // panels may begin with any key
    const Rows k = rows_of(k_span(head_kv), cluster.k_begin, readable, scratch.k_rows);
    const Rows v = rows_of(v_span(head_kv), cluster.k_begin, readable, scratch.v_rows);
    const bool finite_k = is_finite(k, keys, columns_qk());
    std::fill_n(scratch.dk, keys * columns_qk(), Real(0));
    std::fill_n(scratch.dv, keys * columns_v(), Real(0));
    for (int i = 0; i < group; ++i) {
      const int head = head_kv * group + i;
      for (std::int64_t row = cluster.q_begin; row < cluster.q_end; row += lanes) {
        const auto count = static_cast<int>(std::min<std::int64_t>(lanes, cluster.q_end - row));
        const std::int64_t key = cluster.k_begin + row - cluster.q_begin;
        // The next head's rows, or the first one's of the next cluster; keys with the last of those that read them.
        Ahead ahead;
        if (i + 1 < group) {
          add_ahead(ahead, row, count, head + 1);
        } else if (!is_last) {
          add_ahead(ahead, row, count, head + 1);
          add_ahead_keys(ahead, key, head_kv + 1);
        } else {
          const int first = head_kv + 1 - heads_of_item;
          add_ahead(ahead, row + cluster.q_end - cluster.q_begin, lanes, first * group);
          add_ahead_keys(ahead, key + keys, first);
        }
        add_slice(scratch, cluster, {.begin = row, .rows = count}, head, k, v, finite_k, ahead);
      }
    }
    const auto write = [&](const TensorRef& tensor, int dim, const Real* from, int columns, Real factor) {
      const Write how = problem.accumulate ? Write::add : replacing<Scalar>(shape.total_k, shape.heads_kv, dim);
      for (int r = 0; r < keys; ++r)
        write_values<Scalar>(tensor, cluster.k_begin + r, head_kv, 0, dim, from + r * columns, factor, how);
    };
    write(problem.dk, shape.dim_qk, scratch.dk, columns_qk(), static_cast<Real>(shape.scale));
    write(problem.dv, shape.dim_v, scratch.dv, columns_v(), Real(1));
  }

  void add_ahead(Ahead& ahead, std::int64_t row, int count, int head) const {
    ahead.add<Scalar>(q_span(head), row, count);
    ahead.add<Scalar>(dout_span(head), row, count);
    ahead.add<Scalar>({problem.out, problem.shape.total_q, head, problem.shape.dim_v}, row, count);
  }
  void add_ahead_keys(Ahead& ahead, std::int64_t key, int head) const {
    ahead.add<Scalar>(k_span(head), key, lanes);
    ahead.add<Scalar>(v_span(head), key, lanes);
  }

  /// One slice of queries of one head: its dQ, and what it adds to dK and dV.
  void add_slice(const Scratch& scratch, const Cluster& cluster, Slice slice, int head, const Rows& k, const Rows& v,
                 bool finite_k, Ahead& ahead) const {
    const AttentionShape& shape = problem.shape;
    const RowSpan of_q = q_span(head), of_dout = dout_span(head);
    // The head before this one asked for these rows (`add_ahead`).
    pack_rows<Words, Scalar, lanes, Prefetch::nothing>(
        of_q, slice.begin, portable::PairGradient<Real>::score_factor(shape), scratch.q, lanes);
    pack_rows<Words, Scalar, lanes, Prefetch::nothing>(of_dout, slice.begin, Real(1), scratch.dout, lanes);
    const Rows q = rows_of(of_q, slice.begin, slice.rows, scratch.q_rows);
    const Rows dout = rows_of(of_dout, slice.begin, slice.rows, scratch.dout_rows);
    // Zeros times infinities would not be zeros.
    const bool by_pair =
        !finite_k || !is_finite(q, slice.rows, columns_qk()) || !is_finite(dout, slice.rows, columns_v());
    std::fill_n(scratch.lse, lanes, Kokkos::Experimental::infinity_v<Real>);
    std::fill_n(scratch.delta, lanes, Real(0));
    for (int lane = 0; lane < slice.rows; ++lane)
      scratch.lse[lane] = portable::saved_lse<Real>(problem.lse, slice.begin + lane, head);
    find_delta<Scalar>(problem, slice.begin, slice.rows, head, scratch.delta);
    std::fill_n(scratch.dq, lanes * columns_qk(), Real(0));
    for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
      load_layer(slice, problem.rows.intervals, layer, lanes, scratch.first, scratch.last);
      if (slice.hull.begin >= slice.hull.end) continue;
      add_layer(scratch, cluster, slice, head, {q, dout, k, v}, by_pair, ahead);
    }
    const Write how = problem.accumulate_q ? Write::add : replacing<Scalar>(shape.total_q, shape.heads_q, shape.dim_qk);
    for (int lane = 0; lane < slice.rows; ++lane) {
      write_values<Scalar>(problem.dq, slice.begin + lane, head, 0, shape.dim_qk, scratch.dq + lane * columns_qk(),
                           static_cast<Real>(shape.scale), how);
    }
  }

  /// Rows of the slice's queries and, from its first key on, of the cluster's keys.
  struct Inputs {
    Rows q, dout, k, v;
  };

  void add_layer(const Scratch& scratch, const Cluster& cluster, const Slice& slice, int head, Inputs in, bool by_pair,
                 Ahead& ahead) const {
    const AttentionShape& shape = problem.shape;
    const auto offset = static_cast<int>(slice.hull.begin - cluster.k_begin);
    const int keys = slice.hull.end - slice.hull.begin, panels = (keys + key_panel - 1) / key_panel;
    in.k.data += offset * in.k.pitch;
    in.v.data += offset * in.v.pitch;
    PairSlice<Words, 1> pairs = {.weights = scratch.weights,
                                 .ds = scratch.ds,
                                 .pitch = lanes,
                                 .slopes = scratch.slopes,
                                 .kept = scratch.kept,
                                 .lse = scratch.lse,
                                 .delta = scratch.delta,
                                 .first_key = slice.hull.begin,
                                 .core = {slice.core.begin, std::min(slice.core.end, slice.hull.end)},
                                 .seen = {0, panels * key_panel}};
    pairs.find_bounds(scratch.first, scratch.last, slice.rows, keys);
    const auto multiply_keys = [&](const Rows& rows, int dim, const Real* by, Real* to) {
      for (int p = 0; p < panels; ++p) {
        multiply_in_place<Words, portable::Left::rows, key_panel, 1, Start::zero>(
            dim, rows.data + p * key_panel * rows.pitch, rows.pitch, by, lanes,
            Kept<Real>{to + p * key_panel * lanes, lanes}, ahead.now());
        ahead.skip(dim);
      }
    };
    multiply_keys(in.k, shape.dim_qk, scratch.q, scratch.weights);
    pairs.cap(pair, Real(1));
    pairs.weigh(pair, Real(1));
    multiply_keys(in.v, shape.dim_v, scratch.dout, scratch.ds);
    pairs.drop(pair, head, slice.begin);
    pairs.slope(pair);
    pairs.drop_weights(pair);
    Real *const dk = scratch.dk + offset * columns_qk(), *const dv = scratch.dv + offset * columns_v();
    if (by_pair) {
      add_visible(scratch, slice, in, dk, dv);
      return;
    }
    for (int lane = 0; lane < slice.rows; lane += panel) {
      TileRange seen = impl::empty_range();
      for (int i = lane; i < std::min(lane + panel, slice.rows); ++i)
        impl::join(seen, {scratch.first[i], scratch.last[i]});
      const int begin = seen.begin - slice.hull.begin, depth = seen.end - seen.begin;
      if (depth <= 0) continue;
      multiply_columns<portable::Left::columns>(depth, scratch.ds + begin * lanes + lane,
                                                in.k.data + begin * in.k.pitch, in.k.pitch,
                                                scratch.dq + lane * columns_qk(), columns_qk(), ahead);
    }
    for (int r = 0; r < keys; r += panel) {
      // The lanes that see one of these keys.
      const std::int32_t first_key = slice.hull.begin + r, last_key = std::min(first_key + panel, slice.hull.end);
      int begin = slice.rows, end = 0;
      for (int lane = 0; lane < slice.rows; ++lane) {
        if (scratch.first[lane] >= last_key || scratch.last[lane] <= first_key) continue;
        begin = std::min(begin, lane);
        end = lane + 1;
      }
      if (begin >= end) continue;
      const int at = r * lanes + begin;
      multiply_columns<portable::Left::rows>(end - begin, scratch.weights + at, in.dout.data + begin * in.dout.pitch,
                                             in.dout.pitch, dv + r * columns_v(), columns_v(), ahead);
      multiply_columns<portable::Left::rows>(end - begin, scratch.ds + at, in.q.data + begin * in.q.pitch, in.q.pitch,
                                             dk + r * columns_qk(), columns_qk(), ahead);
    }
  }

  /// `c += a b`, \p b and \p c rows of as many columns.
  template <portable::Left left>
  static void multiply_columns(int depth, const Real* a, const Real* b, std::int64_t b_pitch, Real* c, int columns,
                               Ahead& ahead) {
    const auto multiply = [&]<int vectors>(int at) {
      multiply_in_place<Words, left, panel, vectors, Start::keep>(depth, a, lanes, b + at, b_pitch,
                                                                  Kept<Real>{c + at, columns}, ahead.now());
      ahead.skip(lines_a_step<left, vectors> * depth);
    };
    for (int at = 0; at < columns; at += 2 * lanes)
      at + lanes < columns ? multiply.template operator()<2>(at) : multiply.template operator()<1>(at);
  }

  /// Pair by pair, for infinities and NaN, which must reach those who see them and no other.
  void add_visible(const Scratch& scratch, const Slice& slice, const Inputs& in, Real* dk, Real* dv) const {
    const AttentionShape& shape = problem.shape;
    for (int lane = 0; lane < slice.rows; ++lane) {
      for (std::int32_t key = scratch.first[lane]; key < scratch.last[lane]; ++key) {
        const int r = key - slice.hull.begin;
        const Real weight = scratch.weights[r * lanes + lane], ds = scratch.ds[r * lanes + lane];
        for (int d = 0; d < shape.dim_qk; ++d) {
          scratch.dq[lane * columns_qk() + d] += ds * in.k.data[r * in.k.pitch + d];
          dk[r * columns_qk() + d] += ds * in.q.data[lane * in.q.pitch + d];
        }
        for (int d = 0; d < shape.dim_v; ++d)
          dv[r * columns_v() + d] += weight * in.dout.data[lane * in.dout.pitch + d];
      }
    }
  }
};

}  // namespace caesura::host_simd
