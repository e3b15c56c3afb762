// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/order.hpp"
#include "backends/host_simd/pair_block.hpp"

// Backward for host vectors: AVX2, AVX-512, NEON. One pass with five products where two passes would take seven: groups
// of queries and of keys meet in an order in which each owns its sums (order.hpp). Limited by the FMA (or dot-product)
// units.
//   p = exp(s - lse),  ds = p * (dp - delta),  dp = dout v^T,  delta = rowsum(dout * out)
// Dao et al. 2022, arXiv:2205.14135.

namespace caesura::host_simd {

/// Work item: a pair of groups of one level, one key head with the query heads that read it.
template <class Scalar, class Words>
struct Backward {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  using Layout = BackwardLayout<Words>;
  static constexpr int panel = Layout::panel, lanes = Layout::lanes, slices = Layout::slices;
  static constexpr int vectors = Block<Real>::vectors;
  using Factor = typename PairBlock<Words>::Factor;

  BackwardProblem problem;
  PackedBackward<Words> packed;
  portable::PairGradient<Real> pair;
  Real score_factor;
  const GroupPair* pairs;  ///< of the level
  const SliceRange* ranges;
  std::int64_t rows_of_group;
  int heads;       ///< key heads in flight
  int first_head;  ///< of them

  void operator()(std::int64_t item) const {
    const GroupPair groups = pairs[item / heads];
    const std::int64_t head_kv = item % heads;
    const std::int64_t blocks = rows_of_group / backward_block;
    const std::int64_t k_end = std::min((groups.keys + 1) * blocks, packed.layout.k_blocks);
    const std::int64_t q_end = std::min((groups.queries + 1) * blocks, packed.layout.q_blocks);
    // A head's queries and the keys stay in the second cache; those of all heads would not.
    for (int i = 0; i < packed.group; ++i) {
      const std::int64_t head = head_kv * packed.group + i;
      for (std::int64_t k = groups.keys * blocks; k < k_end; ++k) {
        const KeyBlock<Words> keys = packed.key_block(head_kv, k);
        for (std::int64_t q = q_end; q-- > groups.queries * blocks;) {
          for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer)
            visit(keys, packed.query_block(head, q), k, q, layer, static_cast<int>(head));
        }
      }
    }
  }

 private:
  const SliceRange* ranges_of(std::int32_t layer, std::int64_t q) const {
    return ranges + layer * packed.layout.q_blocks * slices + q * slices;
  }

  void visit(const KeyBlock<Words>& keys, const QueryBlock<Words>& queries, std::int64_t k, std::int64_t q,
             std::int32_t layer, int head) const {
    PairBlock<Words> block;
    const SliceRange* const slice_ranges = ranges_of(layer, q);
    const auto origin = static_cast<std::int32_t>(k * backward_block);
    bool any = false, full = true;
    for (int s = 0; s < slices; ++s) {
      const TileRange hull = slice_ranges[s].hull, core = slice_ranges[s].core;
      const int begin = std::max(hull.begin - origin, 0) / panel * panel;
      const int end = round_up(std::clamp(hull.end - origin, 0, backward_block), panel);
      block.seen[s] = begin < end && hull.begin < hull.end ? TileRange{begin, end} : TileRange{0, 0};
      any |= block.seen[s].begin < block.seen[s].end;
      full &= core.begin <= origin && origin + backward_block <= core.end;
    }
    if (!any) return;
    for (int s = 0; s < slices; ++s) {
      if (block.seen[s].begin < block.seen[s].end) {
        differentiate(block, keys, queries, s,
                      {origin, q * backward_block + s * lanes, layer, first_head * packed.group + head,
                       slice_ranges[s].core, block.seen[s]});
      }
    }
    // Zeros times infinities would not be zeros.
    const auto is_special = [&](const bool* flag) { return !full && *flag; };
    const Rows rows{origin, q * backward_block, layer};
    if (is_special(keys.special)) {
      add_visible_dq(block, keys, queries, rows);
    } else {
      add_dq(block, keys, queries);
    }
    const Layout& layout = packed.layout;
    if (is_special(queries.dout_special)) {
      add_visible(block.weights, queries.dout_columns, layout.columns_v, keys.dv, rows);
    } else {
      add(block, block.weights, queries.dout_columns, layout.columns_v, keys.dv);
    }
    if (is_special(queries.q_special)) {
      add_visible(block.ds, queries.q_columns, layout.columns_qk, keys.dk, rows);
    } else {
      add(block, block.ds, queries.q_columns, layout.columns_qk, keys.dk);
    }
  }

  /// A slice of queries with a block of keys.
  struct SliceVisit {
    std::int32_t first_key;
    std::int64_t first_row;
    std::int32_t layer;
    int head;
    TileRange core;
    TileRange seen;  ///< of the block, in whole panels

    bool is_partial(int key) const { return first_key + key < core.begin || first_key + key >= core.end; }
  };

  /// P^T and dS^T of a slice in numbers, a row for each key.
  struct Numbers {
    Real *weights, *ds;
    int pitch;
  };

  /// P^T and dS^T of what slice \p s sees. One product after the other: each has its own factor in the first cache.
  void differentiate(PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries, int s,
                     const SliceVisit& slice) const {
    constexpr int cell = backward_block * lanes;
    alignas(64) Real own[Words::pack == 1 ? 1 : 2 * cell], slopes[cell], kept[cell];
    Numbers numbers{own, own + cell, lanes};
    if constexpr (Words::pack == 1) numbers = {block.weights + s * lanes, block.ds + s * lanes, backward_block};
    Vector<Real> first[vectors], last[vectors];
    if (slice.is_partial(slice.seen.begin) || slice.is_partial(slice.seen.end - 1)) bounds(slice, first, last);

    const Layout& layout = packed.layout;
    const Word *const q = queries.q_rows + s * lanes * layout.depth_qk, *const dout = queries.dout_rows +
                                                                                      s * lanes * layout.depth_v;
    multiply_rows(slice.seen, keys.k_rows, q, layout.depth_qk, numbers.weights, numbers.pitch, dout);
    if (pair.cap > 0) cap(numbers, slopes, slice.seen);
    weigh(numbers, queries.lse + s * lanes, slice, first, last);
    multiply_rows(slice.seen, keys.v_rows, dout, layout.depth_v, numbers.ds, numbers.pitch,
                  s + 1 < slices ? q + lanes * layout.depth_qk : keys.k_columns);
    if (pair.dropout.active()) drop(numbers, kept, slice);
    slope(numbers, slopes, queries.delta + s * lanes, slice, first, last);
    // dV takes the weights that the forward used.
    if (pair.dropout.active()) scale_rows(numbers.weights, numbers.pitch, kept, slice.seen);
    if constexpr (Words::pack > 1) keep(block, s, numbers, slice.seen);
  }

  /// Rows of K or V times a slice's lanes.
  static void multiply_rows(TileRange seen, const Word* rows, const Word* of_slice, int depth, Real* to, int pitch,
                            const Word* next) {
    multiply_panels<Words, vectors, Start::zero>({.panels = (seen.end - seen.begin) / panel,
                                                  .depth = depth,
                                                  .a = rows + seen.begin * depth,
                                                  .a_panel = panel * depth,
                                                  .b = of_slice,
                                                  .b_pitch = lanes,
                                                  .c = to + seen.begin * pitch,
                                                  .c_pitch = pitch,
                                                  .next = next});
  }

  /// Scores become P^T.
  void weigh(const Numbers& numbers, const Real* row_lse, const SliceVisit& slice, const Vector<Real> (&first)[vectors],
             const Vector<Real> (&last)[vectors]) const {
    const Vector<Real> factor(pair.cap > 0 ? Real(1) : score_factor), zero(Real(0));
    Vector<Real> lse[vectors];
    for (int v = 0; v < vectors; ++v) lse[v] = load<Real>(row_lse + v * width<Real>);
    for (int r = slice.seen.begin; r < slice.seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        Real* const at = numbers.weights + r * numbers.pitch + v * width<Real>;
        Vector<Real> score = load<Real>(at);
        if constexpr (Words::pack > 1) score = score * factor;
        Vector<Real> weight = exp2_of<Real>(score - lse[v]);
        if (slice.is_partial(r)) weight = where_visible<Real>(static_cast<Real>(r), first[v], last[v], weight, zero);
        store<Real>(at, weight);
      }
    }
  }

  /// dP^T becomes dS^T. \p slopes, of a softcap, come before the mask: where nobody sees them they may be NaN.
  void slope(const Numbers& numbers, const Real* slopes, const Real* row_delta, const SliceVisit& slice,
             const Vector<Real> (&first)[vectors], const Vector<Real> (&last)[vectors]) const {
    const Vector<Real> zero(Real(0));
    Vector<Real> delta[vectors];
    for (int v = 0; v < vectors; ++v) delta[v] = load<Real>(row_delta + v * width<Real>);
    for (int r = slice.seen.begin; r < slice.seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        const int at = r * numbers.pitch + v * width<Real>;
        Vector<Real> ds = load<Real>(numbers.weights + at) * (load<Real>(numbers.ds + at) - delta[v]);
        if (pair.cap > 0) ds = ds * load<Real>(slopes + r * lanes + v * width<Real>);
        if (slice.is_partial(r)) ds = where_visible<Real>(static_cast<Real>(r), first[v], last[v], ds, zero);
        store<Real>(numbers.ds + at, ds);
      }
    }
  }

  /// dP^T as it is after dropout; \p kept are what multiplies the weights: 0, or 1 / (1 - probability).
  void drop(const Numbers& numbers, Real* kept, const SliceVisit& slice) const {
    for (int r = slice.seen.begin; r < slice.seen.end; ++r) {
      for (int lane = 0; lane < lanes; ++lane) {
        const bool keeps = pair.dropout.keeps(slice.head, slice.first_row + lane, slice.first_key + r);
        Real& product = numbers.ds[r * numbers.pitch + lane];
        kept[r * lanes + lane] = keeps ? pair.keep_scale : Real(0);
        product = keeps ? product * pair.keep_scale : Real(0);
      }
    }
  }

  /// Scores become capped, in log2 units; \p slopes the derivatives, 1 - tanh^2.
  void cap(const Numbers& numbers, Real* slopes, TileRange seen) const {
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        Real* const at = numbers.weights + r * numbers.pitch + v * width<Real>;
        Vector<Real> score = load<Real>(at);
        if constexpr (Words::pack > 1) score = score * Vector<Real>(score_factor);
        const Vector<Real> t = tanh_of<Real>(score);
        store<Real>(slopes + r * lanes + v * width<Real>, Vector<Real>(Real(1)) - t * t);
        store<Real>(at, Vector<Real>(pair.cap) * t);
      }
    }
  }

  static void scale_rows(Real* rows, int pitch, const Real* factors, TileRange seen) {
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int lane = 0; lane < lanes; ++lane) rows[r * pitch + lane] *= factors[r * lanes + lane];
    }
  }

  /// What each lane sees, counted from the block's first key and cut to what a block can tell apart.
  void bounds(const SliceVisit& slice, Vector<Real> (&first)[vectors], Vector<Real> (&last)[vectors]) const {
    const RowIntervals& intervals = problem.rows.intervals;
    alignas(64) Real from[lanes], to[lanes];
    for (int lane = 0; lane < lanes; ++lane) {
      const bool exists = slice.first_row + lane < intervals.rows;
      const std::int64_t at = slice.layer * intervals.rows + slice.first_row + lane;
      from[lane] = static_cast<Real>(exists ? std::clamp(intervals.first[at] - slice.first_key, 0, backward_block) : 0);
      to[lane] = static_cast<Real>(exists ? std::clamp(intervals.last[at] - slice.first_key, 0, backward_block) : 0);
    }
    for (int v = 0; v < vectors; ++v) {
      first[v] = load<Real>(from + v * width<Real>);
      last[v] = load<Real>(to + v * width<Real>);
    }
  }

  /// Rounds a slice's P^T and dS^T to words.
  static void keep(PairBlock<Words>& block, int s, const Numbers& numbers, TileRange seen) {
    constexpr int row_words = PairBlock<Words>::row_words;
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        const int lane = v * width<Real>, to = r * row_words + (s * lanes + lane) / Words::pack;
        Words::store_row(block.weights + to, load<Real>(numbers.weights + r * numbers.pitch + lane));
        Words::store_row(block.ds + to, load<Real>(numbers.ds + r * numbers.pitch + lane));
      }
    }
    for (int r = seen.begin; r < seen.end; r += 2) {
      for (int v = 0; v < vectors; ++v) {
        const Real* const from = numbers.ds + r * numbers.pitch + v * width<Real>;
        Words::store_words(block.ds_pairs + r / 2 * backward_block + s * lanes + v * width<Real>,
                           Words::pairs_of(load<Real>(from), load<Real>(from + numbers.pitch)));
      }
    }
  }

  /// dQ^T += K^T dS^T.
  void add_dq(const PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries) const {
    const int columns = packed.layout.panels_qk;
    for (int s = 0; s < slices; ++s) {
      const int begin = block.seen[s].begin / Words::pack, end = block.seen[s].end / Words::pack;
      if (begin == end) continue;
      multiply_panels<Words, vectors, Start::keep>({.panels = columns / panel,
                                                    .depth = end - begin,
                                                    .a = keys.k_columns + begin * panel,
                                                    .a_panel = backward_block / Words::pack * panel,
                                                    .b = block.ds_lanes() + begin * backward_block + s * lanes,
                                                    .b_pitch = backward_block,
                                                    .c = queries.dq + s * lanes * columns,
                                                    .c_pitch = lanes,
                                                    .next = queries.dout_columns});
    }
  }

  /// `to += factor^T columns` over the queries: \p factor is P^T or dS^T, \p columns those of dO or Q.
  void add(const PairBlock<Words>& block, const Factor& factor, const Word* columns, int count, Real* to) const {
    int c = 0;
    for (; c + lanes <= count; c += lanes) add_columns<2>(block, factor, columns, c, to);
    if (c < count) add_columns<1>(block, factor, columns, c, to);
  }

  template <int own_vectors>
  static void add_columns(const PairBlock<Words>& block, const Factor& factor, const Word* columns, int c, Real* to) {
    constexpr int own = own_vectors * width<Real>, row_words = PairBlock<Words>::row_words;
    const auto add_part = [&](TileRange rows, int first_word, int words) {
      multiply<Words, own_vectors, row_words, 1, Start::keep>({.panels = (rows.end - rows.begin) / panel,
                                                               .depth = words,
                                                               .a = factor + rows.begin * row_words + first_word,
                                                               .a_panel = panel * row_words,
                                                               .b = columns + c * row_words + first_word * own,
                                                               .b_pitch = own,
                                                               .c = to + c * backward_block + rows.begin * own,
                                                               .c_pitch = own,
                                                               .next = columns + (c + own) * row_words});
    };
    const TileRange seen = block.seen[0];
    const auto is_same = [&](TileRange other) { return other.begin == seen.begin && other.end == seen.end; };
    if (std::all_of(block.seen, block.seen + slices, is_same)) {
      add_part(seen, 0, row_words);
      return;
    }
    constexpr int of_slice = row_words / slices;
    for (int s = 0; s < slices; ++s) {
      if (block.seen[s].begin < block.seen[s].end) add_part(block.seen[s], s * of_slice, of_slice);
    }
  }

  /// Where a block's rows lie, for the pair-by-pair sums.
  struct Rows {
    std::int32_t first_key;
    std::int64_t first_query;
    std::int32_t layer;
  };

  /// Calls \p body with slice, lane and key (in the block) of each visible pair.
  template <class Body>
  void for_each_visible(const Rows& rows, const Body& body) const {
    const RowIntervals& intervals = problem.rows.intervals;
    for (int i = 0; i < backward_block && rows.first_query + i < intervals.rows; ++i) {
      const std::int64_t at = rows.layer * intervals.rows + rows.first_query + i;
      const int begin = std::max(intervals.first[at] - rows.first_key, 0);
      const int end = std::min(intervals.last[at] - rows.first_key, backward_block);
      for (int key = begin; key < end; ++key) body(i / lanes, i % lanes, key);
    }
  }
  static Real value_of(const Factor& factor, int s, int lane, int key) {
    const int query = s * lanes + lane;
    return Words::get(factor + key * PairBlock<Words>::row_words + query / Words::pack, query % Words::pack);
  }

  void add_visible_dq(const PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries,
                      const Rows& rows) const {
    constexpr int depth = backward_block / Words::pack;
    for_each_visible(rows, [&](int s, int lane, int key) {
      const Real ds = value_of(block.ds, s, lane, key);
      for (int d = 0; d < problem.shape.dim_qk; ++d) {
        const Word* word = keys.k_columns + d / panel * panel * depth + key / Words::pack * panel + d % panel;
        queries.dq[(s * packed.layout.panels_qk + d) * lanes + lane] += ds * Words::get(word, key % Words::pack);
      }
    });
  }

  void add_visible(const Factor& factor, const Word* columns, int count, Real* to, const Rows& rows) const {
    constexpr int depth = backward_block / Words::pack;
    for_each_visible(rows, [&](int s, int lane, int key) {
      const Real value = value_of(factor, s, lane, key);
      const int row = s * lanes + lane;
      for (int c = 0; c < count; c += lanes) {
        const int own = std::min(lanes, count - c);
        for (int j = 0; j < own; ++j) {
          const Word* word = columns + c * depth + row / Words::pack * own + j;
          to[c * backward_block + key * own + j] += value * Words::get(word, row % Words::pack);
        }
      }
    });
  }
};

}  // namespace caesura::host_simd
