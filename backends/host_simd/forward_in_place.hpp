// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/finish_rows.hpp"
#include "backends/host_simd/multiply_in_place.hpp"
#include "backends/host_simd/packed_keys.hpp"
#include "backends/host_simd/score_block.hpp"
#include "backends/host_simd/slices.hpp"
#include "backends/portable/row_state.hpp"

// Forward where each key is read by few rows: short documents, narrow windows. Keys and values are read where they lie,
// S^T = K Q^T with queries as lanes, O = P V with columns as lanes: only Q is transposed, rows of O are written as they
// are, and eight rows of O take the keys that they see, not those of the whole slice. One vector of queries a slice: a
// causal document of 30 tokens is 16 rows with 16 keys and 14 with 30.

namespace caesura::host_simd {

using portable::Arena;

template <class Words>
struct InPlaceScratch {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  static constexpr int lanes = width<Real>;
  Word* q;                     ///< `(depth_qk, lanes)`
  Real* out;                   ///< `(lanes, columns_v)`
  Real* scores;                ///< `(key_block, lanes)`: S^T
  Word* weights;               ///< `(key_block / pack, lanes)`: P^T; where words are numbers, the memory of the scores
  Real *top, *sum;             ///< by lane: what weights are relative to (log2 units), and their sum
  Real* highest;               ///< by lane: running maximum (log2 units), where the caller asks for it
  std::int32_t *first, *last;  ///< by lane
  Word *k, *v;                 ///< rows of a block that cannot be read in place

  InPlaceScratch(Arena& arena, const AttentionShape& shape) {
    const int depth_qk = words_of(shape.dim_qk, Words::pack), columns_v = round_up(shape.dim_v, lanes);
    q = arena.take<Word>(lanes * depth_qk);
    out = arena.take<Real>(lanes * columns_v);
    scores = arena.take<Real>(key_block * lanes);
    weights = take_weights<Words>(arena, scores, key_block, lanes);
    top = arena.take<Real>(lanes);
    sum = arena.take<Real>(lanes);
    highest = arena.take<Real>(lanes);
    first = arena.take<std::int32_t>(lanes);
    last = arena.take<std::int32_t>(lanes);
    k = arena.take<Word>(key_block * round_up(depth_qk, lanes));
    v = arena.take<Word>(key_block / Words::pack * columns_v);
  }
};

/// Work item: consecutive query rows, with some key heads and all query heads that read them.
template <class Space, class Scalar, class Words>
struct ForwardInPlace {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  using Scratch = InPlaceScratch<Words>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  static constexpr int lanes = width<Real>;
  static constexpr int key_panel = 2 * Block<Real>::rows;
  static constexpr int query_panel = std::min(Block<Real>::rows, lanes);

  ForwardProblem problem;
  portable::DropoutRule dropout;
  std::int64_t rows_of_item;
  int heads_of_item;  ///< query heads, all that read some key heads; divides those of the problem
  std::int64_t scratch_bytes;

  void operator()(const Member& team) const {
    const AttentionShape& shape = problem.shape;
    const int parts = shape.heads_q / heads_of_item;
    const std::int64_t begin = team.league_rank() / parts * rows_of_item;
    const std::int64_t end = std::min(begin + rows_of_item, shape.total_q);
    const int first_head = team.league_rank() % parts * heads_of_item;
    Arena arena(portable::scratch_of<portable::Tile<Space, Real>>(team, scratch_bytes));
    const Scratch scratch(arena, shape);
    for (std::int64_t row = begin; row < end;) {
      Item item;
      item.slice.begin = row;
      row = slice_end<Real>(problem.rows.intervals, row, end, lanes);
      item.slice.rows = static_cast<int>(row - item.slice.begin);
      item.end_head = first_head + heads_of_item;
      for (item.head = first_head; item.head < item.end_head; ++item.head) {
        // What a masked pair multiplies is zero only where values are finite.
        if (!attend(scratch, item, false)) attend(scratch, item, true);
        write(scratch, item);
      }
    }
    fence_streams();
  }

 private:
  /// What is at hand.
  struct Item {
    Slice slice;
    int head = 0, end_head = 0;
    std::int32_t layer = -1;                           ///< that `slice`, `seen`, and first and last of the lanes are of
    std::array<TileRange, lanes / query_panel> seen;   ///< by rows of O that are multiplied together
    std::int32_t copied_block = -1, copied_head = -1;  ///< what the copies of K and V hold
  };
  using Rows = TensorRows<Word>;

  int columns_v() const { return round_up(problem.shape.dim_v, lanes); }
  int head_kv(int head) const { return head / (problem.shape.heads_q / problem.shape.heads_kv); }

  static TileRange hull_of(const Scratch& scratch, int lane, int end) {
    TileRange hull = impl::empty_range();
    for (; lane < end; ++lane) impl::join(hull, {scratch.first[lane], scratch.last[lane]});
    return hull;
  }

  /// O of one slice and head, not yet divided by the sums. Returns whether all of it is finite.
  bool attend(const Scratch& scratch, Item& item, bool pair_by_pair) const {
    Slice& slice = item.slice;
    bool keep = start(scratch, item);
    for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
      if (item.layer != layer) {
        load_layer(slice, problem.rows.intervals, layer, lanes, scratch.first, scratch.last);
        for (int lane = 0; lane < slice.rows; lane += query_panel)
          item.seen[lane / query_panel] = hull_of(scratch, lane, std::min(lane + query_panel, slice.rows));
        item.layer = layer;
      }
      for (std::int32_t begin = slice.hull.begin; begin < slice.hull.end; begin += key_block) {
        visit(scratch, item, {begin, std::min(begin + key_block, slice.hull.end)}, keep, pair_by_pair);
        keep = true;
      }
    }
    if (!keep) std::fill_n(scratch.out, lanes * columns_v(), Real(0));
    return is_finite<Real>({scratch.out, columns_v()}, slice.rows, columns_v());
  }

  /// Returns whether there is an earlier O.
  bool start(const Scratch& scratch, const Item& item) const {
    const Slice& slice = item.slice;
    const AttentionShape& shape = problem.shape;
    const std::int64_t end = slice.begin + slice.rows;
    // The head before this one asked for these rows (`ahead_of`).
    pack_rows<Words, Scalar, lanes, Prefetch::nothing>(
        {problem.q, shape.total_q, item.head, shape.dim_qk}, slice.begin,
        Words::pack == 1 ? portable::PairGradient<Real>::score_factor(shape) : Real(1), scratch.q, lanes);
    if (!problem.merge) {
      std::fill_n(scratch.top, lanes, -Kokkos::Experimental::infinity_v<Real>);
      std::fill_n(scratch.highest, lanes, -Kokkos::Experimental::infinity_v<Real>);
      std::fill_n(scratch.sum, lanes, Real(0));
      return false;
    }
    for (int lane = 0; lane < lanes; ++lane) {
      const auto state = lane < slice.rows ? portable::resume_row<Real>(problem, slice.begin + lane, item.head)
                                           : portable::RowState<Real>{};
      scratch.top[lane] = scratch.highest[lane] = state.top;
      scratch.sum[lane] = state.sum;
      Real* const out = scratch.out + lane * columns_v();
      read_values<RealWords<Scalar>, Scalar>({problem.out, end, item.head, shape.dim_v}, slice.begin + lane, state.sum,
                                             columns_v(), out);
    }
    return true;
  }

  /// The keys \p range for the slice and head at hand.
  void visit(const Scratch& scratch, Item& item, TileRange range, bool keep, bool pair_by_pair) const {
    const AttentionShape& shape = problem.shape;
    const Slice& slice = item.slice;
    const int count = range.end - range.begin, panels = (count + key_panel - 1) / key_panel;
    const int depth = words_of(shape.dim_qk, Words::pack);
    const std::pair<Rows, Rows> keys = rows_of(scratch, item, range, panels * key_panel);
    const Rows &k = keys.first, &v = keys.second;
    Ahead ahead = ahead_of(item, range);
    const ScoreBlock<Words, 1> block = {.scores = scratch.scores,
                                        .weights = scratch.weights,
                                        .first = scratch.first,
                                        .last = scratch.last,
                                        .core = {slice.core.begin, std::min(slice.core.end, range.end)},
                                        .origin = range.begin,
                                        .rows = {0, panels * key_panel}};
    const auto score = [&] {
      for (int p = 0; p < panels; ++p) {
        multiply_in_place<Words, portable::Left::rows, key_panel, 1, Start::zero>(
            depth, k.data + p * key_panel * k.pitch, k.pitch, scratch.q, lanes, scratch.scores + p * key_panel * lanes,
            lanes, ahead.now());
        ahead.skip(depth);
      }
      block.adjust(shape);
    };
    alignas(64) Real factor[lanes];
    block.weigh(score, problem, scratch.top, scratch.sum, scratch.highest, factor);
    if (dropout.active()) block.drop(dropout, item.head, slice.begin);
    const int columns = columns_v();
    if (keep) {
      for (int lane = 0; lane < slice.rows; ++lane) {
        for (int c = 0; c < columns; ++c) scratch.out[lane * columns + c] *= factor[lane];
      }
    }
    if (pair_by_pair) {
      if (!keep) std::fill_n(scratch.out, lanes * columns, Real(0));
      block.for_each_visible(slice.rows, [&](int lane, int r, Real weight) {
        const Word* const row = v.data + r / Words::pack * v.pitch;
        for (int c = 0; c < shape.dim_v; ++c)
          scratch.out[lane * columns + c] += weight * Words::get(row + c, r % Words::pack);
      });
      return;
    }
    for (int lane = 0; lane < slice.rows; lane += query_panel) {
      const TileRange seen = item.seen[lane / query_panel];
      const int begin = std::clamp(seen.begin - range.begin, 0, count) / Words::pack;
      const int end = words_of(std::clamp(seen.end - range.begin, 0, count), Words::pack);
      const auto accumulate = [&]<int vectors, Start start>(int c) {
        multiply_in_place<Words, portable::Left::columns, query_panel, vectors, start>(
            std::max(end - begin, 0), scratch.weights + begin * lanes + lane, lanes, v.data + begin * v.pitch + c,
            v.pitch, scratch.out + lane * columns + c, columns, ahead.now());
        ahead.skip(vectors * std::max(end - begin, 0));
      };
      for (int c = 0; c < columns; c += 2 * lanes) {
        const bool two = c + lanes < columns;
        keep  ? two ? accumulate.template operator()<2, Start::keep>(c)
                    : accumulate.template operator()<1, Start::keep>(c)
         : two ? accumulate.template operator()<2, Start::zero>(c)
              : accumulate.template operator()<1, Start::zero>(c);
      }
    }
  }

  RowSpan k_span(int head_kv) const { return {problem.k, problem.shape.total_k, head_kv, problem.shape.dim_qk}; }
  RowSpan v_span(int head_kv) const { return {problem.v, problem.shape.total_k, head_kv, problem.shape.dim_v}; }

  /// K and V from key `range.begin` on, where they lie or copied; K for \p rows keys.
  std::pair<Rows, Rows> rows_of(const Scratch& scratch, Item& item, TileRange range, int rows) const {
    const int count = range.end - range.begin, head = head_kv(item.head);
    const int columns = columns_v(), padded = round_up(words_of(problem.shape.dim_qk, Words::pack), lanes);
    const RowSpan of_k = k_span(head), of_v = v_span(head);
    const bool k_lies = lies_in_place<Scalar, Word>(of_k, range.begin, rows);
    const bool v_lies = of_v.dim == columns && lies_in_place<Scalar, Word>(of_v, range.begin, count);
    const Rows k = k_lies ? rows_in_place<Scalar, Word>(of_k, range.begin) : Rows{scratch.k, padded};
    const Rows v = v_lies ? rows_in_place<Scalar, Word>(of_v, range.begin) : Rows{scratch.v, columns};
    if ((k_lies && v_lies) || (item.copied_block == range.begin && item.copied_head == head)) return {k, v};
    item.copied_block = range.begin;
    item.copied_head = head;
    for (int r = 0; r < rows && !k_lies; ++r)
      read_line<Words, Scalar>(of_k, range.begin + r, 1, padded, scratch.k + r * padded);
    for (int r = 0; r < words_of(count, Words::pack) && !v_lies; ++r)
      read_across<Words, Scalar>(of_v, range.begin + r * Words::pack, columns, scratch.v + r * columns);
    return {k, v};
  }

  /// What the next head reads and this one did not just fetch for it, or the first one of the rows behind the slice.
  Ahead ahead_of(const Item& item, TileRange range) const {
    const bool last = item.head + 1 == item.end_head;
    const int head = last ? item.end_head - heads_of_item : item.head + 1;
    const std::int64_t row = last ? item.slice.begin + item.slice.rows : item.slice.begin;
    const std::int64_t key = last ? range.end : std::max(range.begin, range.end - lanes);
    Ahead ahead;
    ahead.add<Scalar>(k_span(head_kv(head)), key, lanes);
    ahead.add<Scalar>(v_span(head_kv(head)), key, lanes);
    ahead.add<Scalar>({problem.q, problem.shape.total_q, head, problem.shape.dim_qk}, row, lanes);
    return ahead;
  }

  void write(const Scratch& scratch, const Item& item) const {
    const Slice& slice = item.slice;
    const AttentionShape& shape = problem.shape;
    finish_rows(problem, slice.begin, slice.rows, item.head, scratch.top, scratch.highest, scratch.sum);
    const Write how = replacing<Scalar>(shape.total_q, shape.heads_q, shape.dim_v);
    for (int lane = 0; lane < slice.rows; ++lane) {
      write_values<Scalar>(problem.out, slice.begin + lane, item.head, 0, shape.dim_v, scratch.out + lane * columns_v(),
                           scratch.sum[lane], how);
    }
  }
};

}  // namespace caesura::host_simd
