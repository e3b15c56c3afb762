// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pair_block.hpp"
#include "backends/host_simd/pair_slice.hpp"

// Backward for host vectors: AVX2, AVX-512, NEON. One pass with five products where two passes would take seven. Limited by
// the FMA (or dot-product) units.
//   p = exp(s - lse),  ds = p * (dp - delta),  dp = dout v^T,  delta = rowsum(dout * out)
// Dao et al. 2022, arXiv:2205.14135.

namespace caesura::host_simd {

/// What a block of queries and one of keys do to each other's sums.
template <class Scalar, class Words>
struct BackwardProducts {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  using Layout = BackwardLayout<Words>;
  static constexpr int panel = Layout::panel, lanes = Layout::lanes, slices = Layout::slices;
  static constexpr int vectors = Block<Real>::vectors;
  using Factor = typename PairBlock<Words>::Factor;

  BackwardProblem problem;
  Layout layout;
  portable::PairGradient<Real> pair;
  Real score_factor;

  explicit BackwardProducts(const BackwardProblem& problem_)
      : problem(problem_),
        layout(problem_.shape),
        pair(problem_.shape),
        score_factor(portable::PairGradient<Real>::score_factor(problem_.shape)) {}

  /// Rows of a pair, of one query head.
  struct Rows {
    std::int64_t first_key;
    RowRange queries;
    int head;
  };

  /// \p ranges `(layers, slices)`: of the block's slices, layers \p pitch apart.
  void add(const KeyBlock<Words>& keys, const QueryBlock<Words>& queries, const Rows& rows, const SliceRange* ranges,
           std::int64_t pitch) const {
    for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer)
      add_layer(keys, queries, rows, ranges + layer * pitch, layer);
  }

 private:
  void add_layer(const KeyBlock<Words>& keys, const QueryBlock<Words>& queries, const Rows& rows,
                 const SliceRange* slice_ranges, std::int32_t layer) const {
    PairBlock<Words> block;
    const auto origin = static_cast<std::int32_t>(rows.first_key);
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
        differentiate(block, keys, queries, s, slice_ranges[s].core, rows, layer);
      }
    }
    // Zeros times infinities would not be zeros.
    const auto is_special = [&](const bool* flag) { return !full && *flag; };
    if (is_special(keys.special)) {
      add_visible_dq(block, keys, queries, rows, layer);
    } else {
      add_dq(block, keys, queries);
    }
    if (is_special(queries.dout_special)) {
      add_visible(block.weights, queries.dout_columns, layout.columns_v, keys.dv, rows, layer);
    } else {
      add(block, block.weights, queries.dout_columns, layout.columns_v, keys.dv);
    }
    if (is_special(queries.q_special)) {
      add_visible(block.ds, queries.q_columns, layout.columns_qk, keys.dk, rows, layer);
    } else {
      add(block, block.ds, queries.q_columns, layout.columns_qk, keys.dk);
    }
  }

  using Slice = PairSlice<Words, vectors>;

  /// P^T and dS^T of what slice \p s sees. One product after the other: each has its own factor in the first cache.
  void differentiate(PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries, int s,
                     TileRange core, const Rows& rows, std::int32_t layer) const {
    constexpr int cell = backward_block * lanes;
    const std::int64_t first_row = rows.queries.begin + s * lanes;
    alignas(64) Real own[Words::pack == 1 ? 1 : 2 * cell], slopes[cell], kept[cell];
    Slice slice = {.weights = own,
                   .ds = own + cell,
                   .pitch = lanes,
                   .slopes = slopes,
                   .kept = kept,
                   .lse = queries.lse + s * lanes,
                   .delta = queries.delta + s * lanes,
                   .first_key = static_cast<std::int32_t>(rows.first_key),
                   .core = core,
                   .seen = block.seen[s]};
    if constexpr (Words::pack == 1) {
      slice.weights = block.weights + s * lanes;
      slice.ds = block.ds + s * lanes;
      slice.pitch = backward_block;
    }
    const RowIntervals& intervals = problem.rows.intervals;
    const std::int64_t at = layer * intervals.rows + first_row;
    slice.find_bounds(intervals.first + at, intervals.last + at, rows.queries.end - first_row, backward_block);

    const Word *const q = queries.q_rows + s * lanes * layout.depth_qk, *const dout = queries.dout_rows +
                                                                                      s * lanes * layout.depth_v;
    multiply_rows(slice.seen, keys.k_rows, q, layout.depth_qk, slice.weights, slice.pitch, dout);
    slice.cap(pair, score_factor);
    slice.weigh(pair, score_factor);
    multiply_rows(slice.seen, keys.v_rows, dout, layout.depth_v, slice.ds, slice.pitch,
                  s + 1 < slices ? q + lanes * layout.depth_qk : keys.k_columns);
    slice.drop(pair, rows.head, first_row);
    slice.slope(pair);
    slice.drop_weights(pair);
    if constexpr (Words::pack > 1) keep(block, s, slice);
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

  /// Rounds a slice's P^T and dS^T to words.
  static void keep(PairBlock<Words>& block, int s, const Slice& slice) {
    constexpr int row_words = PairBlock<Words>::row_words;
    for (int r = slice.seen.begin; r < slice.seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        const int lane = v * width<Real>, to = r * row_words + (s * lanes + lane) / Words::pack;
        Words::store_row(block.weights + to, load<Real>(slice.weights + r * slice.pitch + lane));
        Words::store_row(block.ds + to, load<Real>(slice.ds + r * slice.pitch + lane));
      }
    }
    for (int r = slice.seen.begin; r < slice.seen.end; r += 2) {
      for (int v = 0; v < vectors; ++v) {
        const Real* const from = slice.ds + r * slice.pitch + v * width<Real>;
        Words::store_words(block.ds_pairs + r / 2 * backward_block + s * lanes + v * width<Real>,
                           Words::pairs_of(load<Real>(from), load<Real>(from + slice.pitch)));
      }
    }
  }

  /// dQ^T += K^T dS^T.
  void add_dq(const PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries) const {
    const int columns = layout.panels_qk;
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

  /// Calls \p body with slice, lane and key (in the block) of each visible pair.
  template <class Body>
  void for_each_visible(const Rows& rows, std::int32_t layer, const Body& body) const {
    const RowIntervals& intervals = problem.rows.intervals;
    const auto origin = static_cast<std::int32_t>(rows.first_key);
    for (int i = 0; i < rows.queries.count(); ++i) {
      const std::int64_t at = layer * intervals.rows + rows.queries.begin + i;
      const int begin = std::max(intervals.first[at] - origin, 0);
      const int end = std::min(intervals.last[at] - origin, backward_block);
      for (int key = begin; key < end; ++key) body(i / lanes, i % lanes, key);
    }
  }
  static Real value_of(const Factor& factor, int s, int lane, int key) {
    const int query = s * lanes + lane;
    return Words::get(factor + key * PairBlock<Words>::row_words + query / Words::pack, query % Words::pack);
  }

  void add_visible_dq(const PairBlock<Words>& block, const KeyBlock<Words>& keys, const QueryBlock<Words>& queries,
                      const Rows& rows, std::int32_t layer) const {
    constexpr int depth = backward_block / Words::pack;
    for_each_visible(rows, layer, [&](int s, int lane, int key) {
      const Real ds = value_of(block.ds, s, lane, key);
      for (int d = 0; d < problem.shape.dim_qk; ++d) {
        const Word* word = keys.k_columns + d / panel * panel * depth + key / Words::pack * panel + d % panel;
        queries.dq[(s * layout.panels_qk + d) * lanes + lane] += ds * Words::get(word, key % Words::pack);
      }
    });
  }

  void add_visible(const Factor& factor, const Word* columns, int count, Real* to, const Rows& rows,
                   std::int32_t layer) const {
    constexpr int depth = backward_block / Words::pack;
    for_each_visible(rows, layer, [&](int s, int lane, int key) {
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
