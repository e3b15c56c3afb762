// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/multiply_in_place.hpp"
#include "backends/host_simd/row_states.hpp"
#include "backends/host_simd/score_block.hpp"
#include "backends/host_simd/slices_in_place.hpp"

// Forward where each key is read by few rows: short documents, narrow windows. Keys and values are read where they lie,
// S^T = K Q^T with queries as lanes, O = P V with columns as lanes: only Q is transposed, rows of O are written as they
// are, and eight rows of O take the keys that they see, not those of the whole slice. One vector of queries a slice: a
// causal document of 30 tokens is 16 rows with 16 keys and 14 with 30. Two slices that see some keys both multiply those
// together, which loads a key's words once for both; where one block holds all that slices see, the product with V is the
// last step: it ends in the tensor itself.

namespace caesura::host_simd {

/// Work item: consecutive query rows, with some key heads and all query heads that read them.
template <class Space, class Scalar, class Words>
struct ForwardInPlace {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  using Scratch = InPlaceScratch<Words>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  static constexpr int lanes = width<Real>;
  static constexpr int key_panel = Block<Real>::rows;

  ForwardProblem problem;
  portable::DropoutRule dropout;
  std::int64_t rows_of_item;
  int heads_of_item;  ///< query heads, all that read some key heads; divides those of the problem
  std::int64_t scratch_bytes;

  void operator()(const Member& team) const {
    const AttentionShape& shape = problem.shape;
    const int parts = shape.heads_q / heads_of_item;
    const std::int64_t number = team.league_rank() / parts;
    const std::int64_t begin = begin_of(number), end = begin_of(number + 1);
    const int first_head = team.league_rank() % parts * heads_of_item;
    Arena arena(portable::scratch_of<portable::Tile<Space, Real>>(team, scratch_bytes));
    Item item{.scratch = Scratch(arena, shape)};
    for (std::int64_t row = begin; row < end;) {
      row = cut(item, row, end);
      item.end_head = first_head + heads_of_item;
      for (item.head = first_head; item.head < item.end_head; ++item.head) {
        // What a masked pair multiplies is zero only where values are finite.
        if (item.at_once ? attend_at_once(item) : attend(item, item.scratch.slices[0], false)) continue;
        for (int s = 0; s < item.count; ++s) attend(item, item.scratch.slices[s], true);
      }
    }
    fence_streams();
  }

 private:
  using OfSlice = InPlaceSlice<Words>;
  using Rows = TensorRows<Word>;
  using Scores = ScoreBlock<Words, 1>;

  /// What is at hand.
  struct Item {
    Scratch scratch;
    int count = 1;         ///< of the slices; more than one only `at_once`
    bool at_once = false;  ///< one block of keys holds all that the slices see
    TileRange keys = {};   ///< those
    int head = 0, end_head = 0;
    std::int32_t layer = 0;         ///< that the slices are of
    TileRange copied = {};          ///< the keys that the copies of K and V hold
    std::int32_t copied_head = -1;  ///< and of which head

    std::int64_t begin() const { return scratch.slices[0].slice.begin; }
    std::int64_t end() const {
      const Slice& last = scratch.slices[count - 1].slice;
      return last.begin + last.rows;
    }
  };

  int columns_v() const { return round_up(problem.shape.dim_v, lanes); }
  int head_kv(int head) const { return head / (problem.shape.heads_q / problem.shape.heads_kv); }

  /// Where work item \p number begins: where documents do, if that is not far.
  std::int64_t begin_of(std::int64_t number) const {
    const std::int64_t row = number * rows_of_item, total = problem.shape.total_q;
    const std::int64_t far = std::min(row + rows_of_item / 2, total);
    if (row == 0 || row >= total) return std::min(row, total);
    for (std::int64_t at = row; at < far; ++at) {
      if (problem.rows.intervals.last[at - 1] <= problem.rows.intervals.first[at]) return at;
    }
    return row;
  }

  /// The rows from \p row on become the item's slices. Returns where these end.
  std::int64_t cut(Item& item, std::int64_t row, std::int64_t end) const {
    const RowIntervals& intervals = problem.rows.intervals;
    const auto add = [&](int s, std::int64_t from) {
      const std::int64_t until = slice_end<Real>(intervals, from, end, lanes);
      item.scratch.slices[s].cut(intervals, from, until);
      return until;
    };
    // Whether \p keys are a block that is all there is to do for rows `[from, until)`.
    const auto is_all = [&](TileRange keys, std::int64_t from, std::int64_t until) {
      return intervals.layers == 1 && !problem.merge && keys.begin < keys.end && keys.end - keys.begin <= key_block &&
             in_a_batch(problem.out, from, until - from);
    };
    item.layer = 0;
    item.copied_head = -1;
    std::int64_t until = add(0, row);
    item.keys = item.scratch.slices[0].slice.hull;
    item.at_once = is_all(item.keys, row, until);
    for (item.count = 1; item.at_once && item.count < joined_slices && until < end; ++item.count) {
      const std::int64_t next = add(item.count, until);
      const Slice& slice = item.scratch.slices[item.count].slice;
      TileRange both = item.keys;
      impl::join(both, slice.hull);
      if (!slice.sees(item.keys) || !is_all(both, row, next)) break;
      item.keys = both;
      until = next;
    }
    return until;
  }

  /// All slices and one head. Returns whether all of O, before it is divided by the sums, is finite.
  bool attend_at_once(Item& item) const {
    Scores scores[joined_slices];
    for (int s = 0; s < item.count; ++s) {
      pack_queries(item, item.scratch.slices[s]);
      scores[s] = scores_of(item.scratch.slices[s], item.keys);
    }
    const auto [k, v] = rows_of(item, item.keys);
    const Write how = how_written();
    Ahead ahead = ahead_of(item, item.keys);
    if (item.count == 1) {
      multiply_keys(scores[0].rows, item.scratch.slices[0], k, ahead);
    } else {
      multiply_keys(scores, item.scratch, k, ahead);
    }
    alignas(64) Real check[lanes] = {};
    for (int s = 0; s < item.count; ++s) {
      const OfSlice& own = item.scratch.slices[s];
      scores[s].weigh_all(problem, own.top, own.sum, own.highest);
      if (dropout.active()) scores[s].drop(dropout, item.head, own.slice.begin);
      finish(own, item.head);
      with_type<Scalar>(problem.out, [&, &v = v](auto type) {
        using Value = decltype(type);
        auto* const out = static_cast<Value*>(problem.out.data) + problem.out.offset(own.slice.begin, item.head);
        multiply_values<Start::zero>(
            own, item.keys, v,
            [&](int lane, int c) {
              return Finished<Real, Value>{.to = out + lane * problem.out.row_stride + c,
                                           .pitch = problem.out.row_stride,
                                           .count = own.slice.rows - lane,
                                           .columns = problem.shape.dim_v - c,
                                           .factor = own.sum + lane,
                                           .how = how,
                                           .check = check};
            },
            ahead);
      });
    }
    return Kokkos::Experimental::all_of(load<Real>(check) == Vector<Real>(Real(0)));
  }

  /// One slice and head. Returns whether all of O, before it is divided by the sums, is finite; else it is written only
  /// if pairs are taken one by one.
  bool attend(Item& item, OfSlice& own, bool pair_by_pair) const {
    Real* const out = item.scratch.out;
    pack_queries(item, own);
    bool keep = begin(item, own);
    for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
      if (item.layer != layer) own.load(problem.rows.intervals, layer);
      item.layer = layer;
      const TileRange hull = own.slice.hull;
      for (std::int32_t begin = hull.begin; begin < hull.end; begin += key_block) {
        visit(item, own, {begin, std::min(begin + key_block, hull.end)}, keep, pair_by_pair);
        keep = true;
      }
    }
    if (!keep) std::fill_n(out, lanes * columns_v(), Real(0));
    const bool finite = is_finite<Real>({out, columns_v()}, own.slice.rows, columns_v());
    if (!finite && !pair_by_pair) return false;
    finish(own, item.head);
    for (int lane = 0; lane < own.slice.rows; ++lane) {
      write_values<Scalar>(problem.out, own.slice.begin + lane, item.head, 0, problem.shape.dim_v,
                           out + lane * columns_v(), own.sum[lane], how_written());
    }
    return finite;
  }

  void pack_queries(const Item& item, const OfSlice& own) const {
    const AttentionShape& shape = problem.shape;
    // The head before this one asked for these rows (`ahead_of`).
    pack_rows<Words, Scalar, lanes, Prefetch::nothing>(
        {problem.q, shape.total_q, item.head, shape.dim_qk}, own.slice.begin,
        Words::pack == 1 ? portable::PairGradient<Real>::score_factor(shape) : Real(1), own.q, Scratch::q_pitch);
  }

  /// Returns whether there is an earlier O.
  bool begin(const Item& item, const OfSlice& own) const {
    const Slice& slice = own.slice;
    begin_rows(problem, slice.begin, slice.rows, lanes, item.head, own.top, own.highest, own.sum);
    for (int lane = 0; lane < lanes && problem.merge; ++lane) {
      read_values<RealWords<Scalar>, Scalar>({problem.out, slice.begin + slice.rows, item.head, problem.shape.dim_v},
                                             slice.begin + lane, own.sum[lane], columns_v(),
                                             item.scratch.out + lane * columns_v());
    }
    return problem.merge;
  }

  /// The keys \p range for one slice and the head at hand.
  void visit(Item& item, const OfSlice& own, TileRange range, bool keep, bool pair_by_pair) const {
    const auto [k, v] = rows_of(item, range);
    Ahead ahead = ahead_of(item, range);
    const Scores scores = scores_of(own, range);
    alignas(64) Real factor[lanes];
    weigh(scores, own, item.head, factor, [&, &k = k] { multiply_keys(scores.rows, own, k, ahead); });
    const int columns = columns_v();
    Real* const out = item.scratch.out;
    if (keep) {
      for (int lane = 0; lane < own.slice.rows; ++lane) {
        for (int c = 0; c < columns; ++c) out[lane * columns + c] *= factor[lane];
      }
    }
    if (pair_by_pair) {
      if (!keep) std::fill_n(out, lanes * columns, Real(0));
      scores.for_each_visible(own.slice.rows, [&, &v = v](int lane, int r, Real weight) {
        const Word* const row = v.data + r / Words::pack * v.pitch;
        for (int c = 0; c < problem.shape.dim_v; ++c)
          out[lane * columns + c] += weight * Words::get(row + c, r % Words::pack);
      });
      return;
    }
    const auto to = [&](int lane, int c) { return Kept<Real>{out + lane * columns + c, columns}; };
    keep ? multiply_values<Start::keep>(own, range, v, to, ahead)
         : multiply_values<Start::zero>(own, range, v, to, ahead);
  }

  /// The scores of a slice among those of the keys \p range: whole panels of what it sees.
  Scores scores_of(const OfSlice& own, TileRange range) const {
    const TileRange hull = own.slice.hull, core = own.slice.core;
    return {.scores = own.scores,
            .weights = own.weights,
            .first = own.first,
            .last = own.last,
            .core = {core.begin, std::min(core.end, range.end)},
            .origin = range.begin,
            .rows = {std::max(hull.begin - range.begin, 0) / key_panel * key_panel,
                     round_up(std::min(hull.end, range.end) - range.begin, key_panel)}};
  }

  /// S^T = K Q^T for some rows of the block, whole panels.
  void multiply_keys(TileRange rows, const OfSlice& own, const Rows& k, Ahead& ahead) const {
    for (; rows.begin + key_panel < rows.end; rows.begin += 2 * key_panel)
      multiply_panel<2 * key_panel, 1>(rows.begin, own, k, ahead);
    if (rows.begin < rows.end) multiply_panel<key_panel, 1>(rows.begin, own, k, ahead);
  }
  /// The same for two slices, rows that both see together.
  void multiply_keys(const Scores (&scores)[joined_slices], const Scratch& scratch, const Rows& k, Ahead& ahead) const {
    const TileRange both = {std::max(scores[0].rows.begin, scores[1].rows.begin),
                            std::min(scores[0].rows.end, scores[1].rows.end)};
    for (int r = both.begin; r < both.end; r += key_panel)
      multiply_panel<key_panel, joined_slices>(r, scratch.slices[0], k, ahead);
    for (int s = 0; s < joined_slices; ++s) {
      multiply_keys({scores[s].rows.begin, both.begin}, scratch.slices[s], k, ahead);
      multiply_keys({both.end, scores[s].rows.end}, scratch.slices[s], k, ahead);
    }
  }
  template <int rows, int slices>
  void multiply_panel(int begin, const OfSlice& own, const Rows& k, Ahead& ahead) const {
    const int depth = words_of(problem.shape.dim_qk, Words::pack);
    multiply_in_place<Words, portable::Left::rows, rows, slices, Start::zero>(
        depth, k.data + begin * k.pitch, k.pitch, own.q, Scratch::q_pitch,
        Kept<Real, Scratch::scores_pitch>{own.scores + begin * lanes, lanes}, ahead.now());
    ahead.skip(lines_a_step<portable::Left::rows, slices> * depth);
  }

  /// Scores, which \p score makes, become weights; \p factor is what an earlier O has to be multiplied with.
  template <class Score>
  void weigh(const Scores& scores, const OfSlice& own, int head, Real* factor, const Score& score) const {
    const auto make = [&] {
      score();
      scores.adjust(problem.shape);
    };
    scores.weigh(make, problem, own.top, own.sum, own.highest, factor);
    if (dropout.active()) scores.drop(dropout, head, own.slice.begin);
  }

  /// O = P V, or O += P V, for the keys \p range; \p to says where rows from a lane on and columns from a column on go.
  template <Start start, class To>
  void multiply_values(const OfSlice& own, TileRange range, const Rows& v, const To& to, Ahead& ahead) const {
    constexpr int rows = OfSlice::rows_at_once;
    const int columns = columns_v(), count = range.end - range.begin;
    for (int lane = 0; lane < own.slice.rows; lane += rows) {
      const TileRange seen = own.seen[lane / rows];
      const int begin = std::clamp(seen.begin - range.begin, 0, count) / Words::pack;
      const int depth = std::max(words_of(std::clamp(seen.end - range.begin, 0, count), Words::pack) - begin, 0);
      const auto multiply = [&]<int vectors>(int c) {
        multiply_in_place<Words, portable::Left::columns, rows, vectors, start>(
            depth, own.weights + begin * lanes + lane, lanes, v.data + begin * v.pitch + c, v.pitch, to(lane, c),
            ahead.now());
        ahead.skip(lines_a_step<portable::Left::columns, vectors> * depth);
      };
      for (int c = 0; c < columns; c += 2 * lanes)
        c + lanes < columns ? multiply.template operator()<2>(c) : multiply.template operator()<1>(c);
    }
  }

  RowSpan k_span(int head_kv) const { return {problem.k, problem.shape.total_k, head_kv, problem.shape.dim_qk}; }
  RowSpan v_span(int head_kv) const { return {problem.v, problem.shape.total_k, head_kv, problem.shape.dim_v}; }

  /// K and V from key `range.begin` on, where they lie or copied; K for whole panels of keys.
  std::pair<Rows, Rows> rows_of(Item& item, TileRange range) const {
    const Scratch& scratch = item.scratch;
    const int count = range.end - range.begin, rows = round_up(count, key_panel), head = head_kv(item.head);
    const int columns = columns_v(), padded = round_up(words_of(problem.shape.dim_qk, Words::pack), lanes);
    const RowSpan of_k = k_span(head), of_v = v_span(head);
    const bool k_lies = lies_in_place<Scalar, Word>(of_k, range.begin, rows);
    const bool v_lies = of_v.dim == columns && lies_in_place<Scalar, Word>(of_v, range.begin, count);
    const Rows k = k_lies ? rows_in_place<Scalar, Word>(of_k, range.begin) : Rows{scratch.k, padded};
    const Rows v = v_lies ? rows_in_place<Scalar, Word>(of_v, range.begin) : Rows{scratch.v, columns};
    const bool has_copies =
        item.copied_head == head && item.copied.begin == range.begin && range.end <= item.copied.end;
    if ((k_lies && v_lies) || has_copies) return {k, v};
    item.copied = range;
    item.copied_head = head;
    for (int r = 0; r < rows && !k_lies; ++r)
      read_line<Words, Scalar>(of_k, range.begin + r, 1, padded, scratch.k + r * padded);
    for (int r = 0; r < words_of(count, Words::pack) && !v_lies; ++r)
      read_across<Words, Scalar>(of_v, range.begin + r * Words::pack, columns, scratch.v + r * columns);
    return {k, v};
  }

  /// What the next head reads and this one did not just fetch for it, or the first one of the rows behind the slices.
  Ahead ahead_of(const Item& item, TileRange range) const {
    const bool last = item.head + 1 == item.end_head;
    const int head = last ? item.end_head - heads_of_item : item.head + 1, rows = item.count * lanes,
              keys = std::min(rows, range.end - range.begin), queries = static_cast<int>(item.end() - item.begin());
    const std::int64_t row = last ? item.end() : item.begin();
    const std::int64_t key = last ? range.end : std::max(range.begin, range.end - rows);
    Ahead ahead;
    ahead.add<Scalar>({problem.q, problem.shape.total_q, head, problem.shape.dim_qk}, row, queries);
    ahead.add<Scalar>(k_span(head_kv(head)), key, keys);
    ahead.add<Scalar>(v_span(head_kv(head)), key, keys);
    return ahead;
  }

  /// Sums become what O has to be multiplied with.
  void finish(const OfSlice& own, int head) const {
    finish_rows(problem, own.slice.begin, own.slice.rows, head, own.top, own.highest, own.sum);
  }
  Write how_written() const {
    return replacing<Scalar>(problem.shape.total_q, problem.shape.heads_q, problem.shape.dim_v);
  }
};

}  // namespace caesura::host_simd
