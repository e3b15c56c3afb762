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

    bool is_partial(int r) const { return first_key + r < core.begin || first_key + r + panel > core.end; }
  };

  /// P^T and dS^T of what slice \p s sees. One product after the other: each has its own factor in the first cache.
  void differentiate(PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries, int s,
                     const SliceVisit& slice) const {
    const Layout& layout = packed.layout;
    alignas(64) Real own_weights[Words::pack == 1 ? 1 : backward_block * lanes], slopes[backward_block * lanes];
    Real* weights = own_weights;
    if constexpr (Words::pack == 1) weights = block.weights[s];
    Vector<Real> first[vectors], last[vectors];
    if (slice.is_partial(slice.seen.begin) || slice.is_partial(slice.seen.end - panel)) bounds(slice, first, last);
    weigh(weights, slopes, keys, queries.q_rows + s * lanes * layout.depth_qk, queries.lse + s * lanes, slice, first,
          last);

    const Word* const dout = queries.dout_rows + s * lanes * layout.depth_v;
    const Vector<Real> zero(Real(0));
    Vector<Real> delta[vectors];
    for (int v = 0; v < vectors; ++v) delta[v] = load<Real>(queries.delta + s * lanes + v * width<Real>);
    for (int r = slice.seen.begin; r < slice.seen.end; r += panel) {
      const bool partial = slice.is_partial(r);
      Real* const of_panel = weights + r * lanes;
      Sums<Real, vectors> sums;
      clear<Real, vectors>(sums);
      multiply_panel<Words, vectors>(layout.depth_v, keys.v_rows + r * layout.depth_v, dout, sums);
      alignas(64) Real kept[panel * lanes];
      if (pair.dropout.active()) {
        alignas(64) Real products[panel * lanes];
        store<Real, vectors>(products, sums);
        drop(slice, r, kept, products);
        load<Real, vectors>(products, sums);
      }
#pragma GCC unroll 8
      for (int i = 0; i < panel; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) {
          const int at = i * lanes + v * width<Real>;
          Vector<Real> ds = load<Real>(of_panel + at) * (sums[i][v] - delta[v]);
          if (pair.cap > 0) ds = ds * load<Real>(slopes + r * lanes + at);
          if (partial) ds = where_visible<Real>(static_cast<Real>(r + i), first[v], last[v], ds, zero);
          sums[i][v] = ds;
        }
      }
      if (pair.dropout.active()) {
        // dV takes the weights that the forward used.
        for (int i = 0; i < panel * lanes; ++i) of_panel[i] *= kept[i];
      }
      keep(block, s, r, of_panel, sums);
    }
  }

  /// P^T; \p slopes are written where there is a softcap.
  void weigh(Real* weights, Real* slopes, const KeyBlock<Words>& keys, const Word* q, const Real* row_lse,
             const SliceVisit& slice, const Vector<Real> (&first)[vectors], const Vector<Real> (&last)[vectors]) const {
    const int depth = packed.layout.depth_qk;
    Vector<Real> lse[vectors];
    for (int v = 0; v < vectors; ++v) lse[v] = load<Real>(row_lse + v * width<Real>);
    for (int r = slice.seen.begin; r < slice.seen.end; r += panel) {
      const bool partial = slice.is_partial(r);
      Sums<Real, vectors> sums;
      clear<Real, vectors>(sums);
      multiply_panel<Words, vectors>(depth, keys.k_rows + r * depth, q, sums);
      if constexpr (Words::pack > 1) scale<Real, vectors>(sums, score_factor);
      if (pair.cap > 0) {
        store<Real, vectors>(weights + r * lanes, sums);
        cap(weights + r * lanes, slopes + r * lanes);
        load<Real, vectors>(weights + r * lanes, sums);
      }
#pragma GCC unroll 8
      for (int i = 0; i < panel; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) {
          Vector<Real> weight = exp2_of<Real>(sums[i][v] - lse[v]);
          if (partial) {
            weight = where_visible<Real>(static_cast<Real>(r + i), first[v], last[v], weight, Vector<Real>(Real(0)));
          }
          store<Real>(weights + (r + i) * lanes + v * width<Real>, weight);
        }
      }
    }
  }

  // What is seldom asked for works in memory: a loop over sums that is not unrolled would keep them there in every product.

  /// \p products become dP^T of a panel after dropout; \p kept what multiplies the weights: 0, or 1 / (1 - probability).
  void drop(const SliceVisit& slice, int r, Real* kept, Real* products) const {
    for (int i = 0; i < panel; ++i) {
      for (int lane = 0; lane < lanes; ++lane) {
        const bool keeps = pair.dropout.keeps(slice.head, slice.first_row + lane, slice.first_key + r + i);
        kept[i * lanes + lane] = keeps ? pair.keep_scale : Real(0);
        products[i * lanes + lane] = keeps ? products[i * lanes + lane] * pair.keep_scale : Real(0);
      }
    }
  }

  /// Scores of a panel become capped, in log2 units; \p slopes the derivatives, 1 - tanh^2.
  void cap(Real* scores, Real* slopes) const {
    for (int at = 0; at < panel * lanes; at += width<Real>) {
      const Vector<Real> t = tanh_of<Real>(load<Real>(scores + at));
      store<Real>(slopes + at, Vector<Real>(Real(1)) - t * t);
      store<Real>(scores + at, Vector<Real>(pair.cap) * t);
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

  /// Puts a panel of P^T (unless it is there already) and dS^T where the products find them.
  static void keep(PairBlock<Words>& block, int s, int r, [[maybe_unused]] const Real* weights,
                   const Sums<Real, vectors>& ds) {
    if constexpr (Words::pack == 1) {
      store<Real, vectors>(block.ds[s] + r * lanes, ds);
    } else {
      for (int i = 0; i < panel; ++i) {
        for (int v = 0; v < vectors; ++v) {
          const int at = ((r + i) * lanes + v * width<Real>) / 2;
          Words::store_row(block.weights[s] + at, load<Real>(weights + i * lanes + v * width<Real>));
          Words::store_row(block.ds[s] + at, ds[i][v]);
        }
      }
      for (int i = 0; i < panel; i += 2) {
        for (int v = 0; v < vectors; ++v)
          Words::store_words(block.ds_pairs[s] + (r + i) / 2 * lanes + v * width<Real>,
                             Words::pairs_of(ds[i][v], ds[i + 1][v]));
      }
    }
  }

  /// dQ^T += K^T dS^T.
  void add_dq(const PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries) const {
    constexpr int depth = backward_block / Words::pack;
    for (int s = 0; s < slices; ++s) {
      const int begin = block.seen[s].begin / Words::pack,
                count = (block.seen[s].end - block.seen[s].begin) / Words::pack;
      if (count == 0) continue;
      Real* const dq = queries.dq + s * lanes * packed.layout.panels_qk;
      for (int d = 0; d < packed.layout.panels_qk; d += panel) {
        Sums<Real, vectors> sums;
        load<Real, vectors>(dq + d * lanes, sums);
        prefetch_sums<Real, vectors>(dq + (d + panel) * lanes);
        multiply_panel<Words, vectors>(count, keys.k_columns + d * depth + begin * panel,
                                       block.ds_lanes(s) + begin * lanes, sums);
        store<Real, vectors>(dq + d * lanes, sums);
      }
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
    const Word* const b = columns + c * (backward_block / Words::pack);
    Real* const own_to = to + c * backward_block;
    for (int r = 0; r < backward_block; r += panel) {
      bool any = false;
      for (int s = 0; s < slices; ++s) any |= block.seen[s].begin <= r && r < block.seen[s].end;
      if (!any) continue;
      Sums<Real, own_vectors> sums;
      load<Real, own_vectors>(own_to + r * own, sums);
      prefetch_sums<Real, own_vectors>(own_to + (r + panel) * own);
      for (int s = 0; s < slices; ++s) {
        if (r < block.seen[s].begin || r >= block.seen[s].end) continue;
        multiply<Words, own_vectors, row_words, 1>(row_words, factor[s] + r * row_words, b + s * row_words * own, sums);
      }
      store<Real, own_vectors>(own_to + r * own, sums);
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
    return Words::get(factor[s] + key * PairBlock<Words>::row_words + lane / Words::pack, lane % Words::pack);
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
