// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pair_block.hpp"
#include "backends/host_tile/block_products.hpp"
#include "backends/host_tile/packed_backward.hpp"

// Backward of bfloat16 by AMX tiles, in host_simd's one pass and order: five products, queries in lanes. A slice of 32
// keys meets all 256 queries of a block before dV and dK take its P^T and dS^T, and dQ takes dS^T of all 256 keys: sums
// are loaded and stored once in 8 steps of the depth. Limited by the second cache: products whose factor comes from the
// third one take up to five times as long. Otherwise tiles and vectors share the time.

namespace caesura::host_tile {

using host_simd::GroupPair;
using host_simd::SliceRange;

/// Work item: a pair of groups of one level, one key head with the query heads that read it.
template <class Space>
struct Backward {
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;

  BackwardProblem problem;
  PackedBackward packed;
  portable::PairGradient<float> pair;
  float score_factor;
  const GroupPair* pairs;  ///< of the level
  const SliceRange* ranges;
  std::int64_t blocks_of_group;
  int heads;       ///< key heads in flight
  int first_head;  ///< of them
  std::int64_t scratch_bytes;

  void operator()(const Member& team) const {
    const GroupPair groups = pairs[team.league_rank() / heads];
    const int head_kv = team.league_rank() % heads;
    Arena arena(portable::scratch_of<portable::Tile<Space, float>>(team, scratch_bytes));
    const PairBlock block(arena);
    const std::int64_t k_end = std::min((groups.keys + 1) * blocks_of_group, packed.layout.k_blocks);
    const std::int64_t q_end = std::min((groups.queries + 1) * blocks_of_group, packed.layout.q_blocks);
    const TileSession session;
    const std::int64_t q_begin = groups.queries * blocks_of_group;
    host_simd::for_each_part(q_begin, q_end, 1, packed.group, [&](host_simd::QueryPart part) {
      const int head = head_kv * packed.group + part.head;
      for (std::int64_t k = groups.keys * blocks_of_group; k < k_end; ++k) {
        const KeyBlock keys = packed.key_block(head_kv, k);
        for (std::int64_t q = part.end; q-- > part.begin;) {
          const QueryBlock queries = packed.query_block(head, q);
          for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
            run({block, keys, queries, static_cast<std::int32_t>(k * backward_block), q * backward_block, layer,
                 first_head * packed.group + head, ranges + (layer * packed.layout.q_blocks + q) * block_slices});
          }
        }
      }
    });
  }

 private:
  /// A block of queries with a block of keys, in one layer.
  struct Visit {
    const PairBlock& block;
    const KeyBlock& keys;
    const QueryBlock& queries;
    std::int32_t first_key;
    std::int64_t first_query;
    std::int32_t layer;
    int head;                  ///< of the problem
    const SliceRange* ranges;  ///< of the slices of queries

    std::int32_t key_of(int k) const { return first_key + k * slice_rows; }
    bool sees(int q, int k) const {
      const TileRange hull = ranges[q].hull;
      return hull.begin < hull.end && hull.begin < key_of(k + 1) && key_of(k) < hull.end;
    }
    /// Whether all queries of a slice see the keys of the slices `[begin, end)`.
    bool sees_all(int q, int begin, int end) const {
      return ranges[q].core.begin <= key_of(begin) && key_of(end) <= ranges[q].core.end;
    }
    bool is_full() const {
      bool full = true;
      for (int q = 0; q < block_slices; ++q) full &= sees_all(q, 0, block_slices);
      return full;
    }
    /// The first slices of queries in a row, from \p q on, that see the keys of slice \p k; empty if none is left.
    TileRange queries_of(int k, int q) const {
      return next_run(q, [&](int i) { return sees(i, k); });
    }
    /// The slices of keys that a slice of queries sees.
    TileRange keys_of(int q) const {
      return next_run(0, [&](int i) { return sees(q, i); });
    }

   private:
    template <class Condition>
    static TileRange next_run(int from, const Condition& holds) {
      while (from < block_slices && !holds(from)) ++from;
      int end = from;
      while (end < block_slices && holds(end)) ++end;
      return {from, end};
    }
  };

  void run(const Visit& visit) const {
    const bool full = visit.is_full();
    for (int k = 0; k < block_slices; ++k) {
      for (TileRange seen = visit.queries_of(k, 0); seen.begin < seen.end; seen = visit.queries_of(k, seen.end)) {
        for (int q = seen.begin; q < seen.end; ++q) {
          multiply_cell(visit, k, q);
          differentiate_cell(visit, k, q);
        }
        add_to_keys(visit, k, seen, full);
      }
    }
    for (int q = 0; q < block_slices; ++q) add_dq(visit, q, !full && *visit.keys.special);
  }

  /// S^T and dP^T of a slice of keys with one of queries.
  void multiply_cell(const Visit& visit, int k, int q) const {
    const auto product = [&](const Word* rows, const Word* lanes, int steps, float* to) {
      multiply({.a = rows + k * 2 * steps * tile_words,
                .a_row = std::int64_t{steps} * tile_words,
                .b = lanes + q * QueryBlock::lane_words(steps),
                .b_bytes = slice_rows * 4,
                .c = to,
                .c_bytes = slice_rows * 4,
                .rows = 2,
                .columns = 2,
                .depth = steps});
    };
    product(visit.keys.k_rows, visit.queries.q_lanes, packed.layout.steps_qk, visit.block.scores);
    product(visit.keys.v_rows, visit.queries.dout_lanes, packed.layout.steps_v, visit.block.products);
  }

  /// P^T and dS^T of what the products have become.
  void differentiate_cell(const Visit& visit, int k, int q) const {
    const PairBlock& block = visit.block;
    CellPairs cell{.block = block,
                   .unit = pair.cap > 0 ? 1.0F : score_factor,
                   .lse = visit.queries.lse + q * slice_rows,
                   .delta = visit.queries.delta + q * slice_rows,
                   .first = {},
                   .last = {},
                   .first_key = visit.key_of(k),
                   .weights = block.weights + q * tile_words,
                   .ds = block.ds + q * tile_words,
                   .ds_pairs = block.ds_pairs + q * PairBlock::slice_pairs + k * tile_rows * slice_rows};
    if (pair.cap > 0 || pair.dropout.active()) {
      set_bounds(visit, q, cell);
      adjust(visit, k, q);
      differentiate<Pairs::adjusted>(cell);
    } else if (!visit.sees_all(q, k, k + 1)) {
      set_bounds(visit, q, cell);
      differentiate<Pairs::visible>(cell);
    } else {
      differentiate<Pairs::all>(cell);
    }
  }

  /// What each lane sees; nothing where there is no row.
  void set_bounds(const Visit& visit, int q, CellPairs& cell) const {
    const RowIntervals& intervals = problem.rows.intervals;
    for (int v = 0; v < 2; ++v) {
      const std::int64_t row = visit.first_query + q * slice_rows + v * tile_columns;
      const auto count = static_cast<unsigned>(std::clamp<std::int64_t>(intervals.rows - row, 0, tile_columns));
      const auto exists = static_cast<__mmask16>((1U << count) - 1);
      const std::int64_t at = visit.layer * intervals.rows + row;
      cell.first[v] = _mm512_maskz_loadu_epi32(exists, intervals.first + at);
      cell.last[v] = _mm512_maskz_loadu_epi32(exists, intervals.last + at);
    }
  }

  /// Scores become capped, in log2 units; `slopes` the derivatives of that, 1 - tanh^2, and `kept` the factors of
  /// dropout.
  __attribute__((noinline)) void adjust(const Visit& visit, int k, int q) const {
    using Vec = host_simd::Vector<float>;
    const PairBlock& block = visit.block;
    std::fill_n(block.kept, PairBlock::cell, 1.0F);
    std::fill_n(block.slopes, PairBlock::cell, 1.0F);
    for (int at = 0; pair.cap > 0 && at < PairBlock::cell; at += width<float>) {
      const Vec t = host_simd::tanh_of<float>(host_simd::load<float>(block.scores + at) * Vec(score_factor));
      host_simd::store<float>(block.slopes + at, Vec(1.0F) - t * t);
      host_simd::store<float>(block.scores + at, Vec(pair.cap) * t);
    }
    for (int at = 0; pair.dropout.active() && at < PairBlock::cell; ++at) {
      const std::int64_t row = visit.first_query + q * slice_rows + at % slice_rows;
      const bool keeps = pair.dropout.keeps(visit.head, row, visit.key_of(k) + at / slice_rows);
      block.kept[at] = keeps ? pair.keep_scale : 0.0F;
    }
  }

  /// A product over the queries: `to += factor^T rows`.
  struct Addition {
    const Word* factor;  ///< P^T or dS^T of a slice of keys
    const Word* rows;    ///< of dO or Q, as pairs
    bool special;        ///< zeros times infinities would not be zeros
    int columns;
    float* to;
    const float* ahead;  ///< the sums that come next
  };

  /// dV += P^T dO and dK += dS^T Q for a slice of keys, over the slices \p seen of queries.
  void add_to_keys(const Visit& visit, int k, TileRange seen, bool full) const {
    const KeyBlock& keys = visit.keys;
    const QueryBlock& queries = visit.queries;
    const float* const next = k + 1 < block_slices ? keys.dv + (k + 1) * slice_sums : queries.dq;
    add(visit, k, seen,
        {visit.block.weights, queries.dout_pairs, !full && *queries.dout_special, packed.layout.columns_v, keys.dv,
         keys.dk + k * slice_sums});
    add(visit, k, seen,
        {visit.block.ds, queries.q_pairs, !full && *queries.q_special, packed.layout.columns_qk, keys.dk, next});
  }

  void add(const Visit& visit, int k, TileRange seen, const Addition& sum) const {
    if (sum.special) {
      add_visible(visit, k, seen, sum);
      return;
    }
    const int panels = panels_of(sum.columns);
    for (int p = 0; p < panels; ++p) {
      float* const to = sum.to + p * sum_panel + k * slice_sums;
      multiply({.a = sum.factor + seen.begin * tile_words,
                .a_row = std::int64_t{block_slices} * tile_words,
                .b = sum.rows + p * pair_panel + seen.begin * tile_rows * panel_columns,
                .b_bytes = panel_columns * 4,
                .c = to,
                .c_bytes = panel_columns * 4,
                .rows = 2,
                .columns = std::min(2, sum.columns - 2 * p),
                .depth = seen.end - seen.begin,
                .adds = true,
                .ahead = p + 1 < panels ? to + sum_panel : sum.ahead});
    }
  }

  /// dQ^T += K^T dS^T over the keys that a slice of queries sees.
  void add_dq(const Visit& visit, int q, bool special) const {
    const TileRange seen = visit.keys_of(q);
    if (seen.begin == seen.end) return;
    if (special) {
      add_visible_dq(visit, q);
      return;
    }
    const int columns = packed.layout.columns_qk;
    float* const dq = visit.queries.dq + q * QueryBlock::lane_words(columns);
    multiply({.a = visit.keys.k_columns + seen.begin * tile_words,
              .a_row = std::int64_t{block_slices} * tile_words,
              .b = visit.block.ds_pairs + q * PairBlock::slice_pairs + seen.begin * tile_rows * slice_rows,
              .b_bytes = slice_rows * 4,
              .c = dq,
              .c_bytes = slice_rows * 4,
              .rows = columns,
              .columns = 2,
              .depth = seen.end - seen.begin,
              .adds = true,
              .ahead = dq + QueryBlock::lane_words(columns)});
  }

  /// Calls \p body with query and key, counted in their blocks, of each visible pair of a slice of queries.
  template <class Body>
  void for_each_visible(const Visit& visit, int q, const Body& body) const {
    const RowIntervals& intervals = problem.rows.intervals;
    for (int row = q * slice_rows; row < (q + 1) * slice_rows && visit.first_query + row < intervals.rows; ++row) {
      const std::int64_t at = visit.layer * intervals.rows + visit.first_query + row;
      const int begin = std::max(intervals.first[at] - visit.first_key, 0);
      const int end = std::min(intervals.last[at] - visit.first_key, backward_block);
      for (int key = begin; key < end; ++key) body(row, key);
    }
  }

  void add_visible_dq(const Visit& visit, int q) const {
    for_each_visible(visit, q, [&](int row, int key) {
      const int lane = lane_of_pairs(row % slice_rows);
      const float ds =
          Words::get(visit.block.ds_pairs + q * PairBlock::slice_pairs + key / 2 * slice_rows + lane, key % 2);
      float* const dq = visit.queries.dq + q * QueryBlock::lane_words(packed.layout.columns_qk) + lane;
      for (int d = 0; d < problem.shape.dim_qk; ++d) {
        const Word* const tile = visit.keys.k_columns + (d / tile_rows * block_slices + key / tile_depth) * tile_words;
        dq[d * slice_rows] += ds * Words::get(tile + d % tile_rows * tile_columns + key % tile_depth / 2, key % 2);
      }
    });
  }

  void add_visible(const Visit& visit, int k, TileRange seen, const Addition& sum) const {
    for (int q = seen.begin; q < seen.end; ++q) {
      for_each_visible(visit, q, [&](int row, int key) {
        if (key / slice_rows != k) return;
        const Word* const tile = sum.factor + (key % slice_rows / tile_rows * block_slices + q) * tile_words;
        const float value = Words::get(tile + key % tile_rows * tile_columns + row % slice_rows / 2, row % 2);
        for (int c = 0; c < sum.columns * tile_columns; ++c) {
          const int panel = c / panel_columns, column = c % panel_columns;
          const Word* const word = sum.rows + panel * pair_panel + row / 2 * panel_columns + column;
          sum.to[panel * sum_panel + key * panel_columns + column] += value * Words::get(word, row % 2);
        }
      });
    }
  }
};

}  // namespace caesura::host_tile
