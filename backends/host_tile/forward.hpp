// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/key_source.hpp"
#include "backends/host_simd/row_states.hpp"
#include "backends/host_simd/slices.hpp"
#include "backends/host_tile/block_products.hpp"
#include "backends/host_tile/packed_keys.hpp"
#include "backends/host_tile/softmax.hpp"
#include "backends/portable/backward.hpp"

// Forward of bfloat16 by AMX tiles: S^T = K Q^T and O^T += V^T P^T as in host_simd, queries in lanes, the softmax
// vertical. While vectors make weights of one group's scores, tiles make the next group's; the output has the core to
// itself. Limited by the softmax up to dims of about 64, then by the tiles.

namespace caesura::host_tile {

using host_simd::KeySource;
using host_simd::Slice;
using portable::Arena;

using TileSlices = host_simd::Slices<float, 2>;

struct ForwardScratch {
  Word* q;                     ///< slice by slice `(16 steps_k, lanes)`, of all heads of the item
  float* out;                  ///< slice by slice `(columns_v, lanes)`
  float* scores[2];            ///< `(key_group, lanes)` of two groups of keys: S^T
  Word* weights;               ///< `(key_block / 2, lanes)`: P^T
  float *top, *highest;        ///< by lane, log2 units: what weights are relative to; the largest score, if asked for
  float* sum;                  ///< by lane
  std::int32_t *first, *last;  ///< by lane of one head
  Word *k, *v;                 ///< one block, where the item packs it

  ForwardScratch(Arena& arena, const PackedKeys& keys, int heads, KeySource source) {
    constexpr int lanes = TileSlices::lane_capacity, of_slice = TileSlices::lanes_of_slice;
    q = arena.take<Word>(std::int64_t{lanes} * heads * keys.steps_k * tile_rows);
    out = arena.take<float>(std::int64_t{lanes} * heads * keys.columns_v);
    for (float*& group : scores) group = arena.take<float>(key_group * of_slice);
    weights = arena.take<Word>(key_block / 2 * of_slice);
    top = arena.take<float>(lanes * heads);
    highest = arena.take<float>(lanes * heads);
    sum = arena.take<float>(lanes * heads);
    first = arena.take<std::int32_t>(lanes);
    last = arena.take<std::int32_t>(lanes);
    const bool packs = source == KeySource::local;
    k = arena.take<Word>(packs ? keys.k_words() : 0);
    v = arena.take<Word>(packs ? keys.v_words() : 0);
  }
};

/// Work item: a query tile, with one or several query heads that read the same key head.
template <class Space>
struct Forward {
  using Scratch = ForwardScratch;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  using Vec = host_simd::Vector<float>;
  static constexpr int size = width<float>;

  ForwardProblem problem;
  portable::DropoutRule dropout;
  PackedKeys keys;
  KeySource source;
  int first_head;     ///< of the query heads at hand
  int heads;          ///< of them
  int heads_of_item;  ///< divides the heads of a key head
  std::int64_t scratch_bytes;

  void operator()(const Member& team) const {
    const AttentionShape& shape = problem.shape;
    const TileSchedule& schedule = problem.rows.schedule;
    // A head's tiles follow one another: its keys stay in the second cache.
    const std::int32_t tile = schedule.order[team.league_rank() % schedule.tiles];
    const int own_head = team.league_rank() / schedule.tiles * heads_of_item;
    const int packed_head = own_head / (shape.heads_q / shape.heads_kv);
    const std::int64_t begin = std::int64_t{tile} * schedule.tile_rows;
    const std::int64_t end = std::min(begin + schedule.tile_rows, shape.total_q);

    Arena arena(portable::scratch_of<portable::Tile<Space, float>>(team, scratch_bytes));
    const Scratch scratch(arena, keys, heads_of_item, source);
    TileSlices slices(problem.rows.intervals, begin, end);
    const auto for_each_work = [&](const auto& body) {
      for (int i = 0; i < heads_of_item; ++i) {
        for (const Slice& slice : slices)
          body(Work{&slice, first_head + own_head + i, i * slices.lanes() + slice.lane});
      }
    };
    for_each_work([&](const Work& work) { load_work(scratch, work); });
    const TileSession session;
    for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
      const TileRange hull = slices.load(problem.rows.intervals, layer, scratch.first, scratch.last);
      std::int32_t next = 0;  // block
      for (std::int32_t i = 0; i < schedule.run_count(layer, tile); ++i) {
        const TileRange run = schedule.run(layer, tile, i);
        const std::int32_t run_end = std::min(run.end, hull.end);
        for (next = std::max(next, run.begin / key_block); next * key_block < run_end; ++next) {
          const std::int32_t origin = next * key_block;
          const KeysOfBlock own = source == KeySource::packed ? keys.of(packed_head, next)
                                                              : pack(scratch, first_head + own_head, origin, hull);
          for_each_work([&](const Work& work) {
            const Slice& slice = *work.slice;
            if (!slice.sees({origin, origin + key_block})) return;
            const int from = std::max(slice.hull.begin - origin, 0) / tile_depth * tile_depth;
            const int to = round_up(std::min(slice.hull.end - origin, key_block), tile_depth);
            const Visit visit{work, own, origin, from, to};
            slice.vectors == 2 ? complete<2>(scratch, visit) : complete<1>(scratch, visit);
          });
        }
      }
    }
    for_each_work([&](const Work& work) { store_work(scratch, work); });
    host_simd::fence_streams();
  }

 private:
  /// A slice of one head.
  struct Work {
    const Slice* slice;
    int head;  ///< of the problem
    int lane;  ///< the first among those of all slices and heads of the item

    int lanes() const { return slice->vectors * size; }
  };

  /// One block of keys for one slice.
  struct Visit {
    Work work;
    KeysOfBlock keys;
    std::int32_t origin;
    int begin, end;  ///< of the block's keys, whole tiles of the depth

    bool sees_all() const { return work.slice->core.begin <= origin + begin && origin + end <= work.slice->core.end; }
  };

  KeysOfBlock pack(const Scratch& scratch, int head, std::int32_t origin, TileRange hull) const {
    const AttentionShape& shape = problem.shape;
    const int head_kv = head / (shape.heads_q / shape.heads_kv);
    const TileRange rows{std::max(hull.begin - origin, 0) / tile_depth * tile_depth,
                         round_up(std::min(hull.end - origin, key_block), tile_depth)};
    const bool special =
        pack_block({problem.k, shape.total_k, head_kv, shape.dim_qk}, {problem.v, shape.total_k, head_kv, shape.dim_v},
                   origin, rows, scratch.k, scratch.v);
    return {scratch.k, scratch.v, special};
  }

  Word* q_of(const Scratch& scratch, const Work& work) const {
    return scratch.q + std::int64_t{work.lane} * keys.steps_k * tile_rows;
  }
  float* out_of(const Scratch& scratch, const Work& work) const {
    return scratch.out + std::int64_t{work.lane} * keys.columns_v;
  }

  void load_work(const Scratch& scratch, const Work& work) const {
    const Slice& slice = *work.slice;
    const std::int64_t end = slice.begin + slice.rows;
    const int lanes = work.lanes();
    for (int lane = 0; lane < lanes; lane += tile_columns)
      pack_lanes({problem.q, end, work.head, problem.shape.dim_qk}, slice.begin + lane, q_of(scratch, work) + lane,
                 lanes);
    host_simd::begin_rows(problem, slice.begin, slice.rows, lanes, work.head, scratch.top + work.lane,
                          scratch.highest + work.lane, scratch.sum + work.lane);
    float* const out = out_of(scratch, work);
    std::fill_n(out, lanes * keys.columns_v, 0.0F);
    if (!problem.merge) return;
    using Reals = host_simd::RealWords<bfloat16>;
    for (int lane = 0; lane < lanes; lane += size)
      host_simd::pack_rows<Reals, bfloat16, size>({problem.out, end, work.head, problem.shape.dim_v},
                                                  slice.begin + lane, 1, out + lane, lanes);
    for (int d = 0; d < problem.shape.dim_v; ++d) {
      for (int lane = 0; lane < lanes; ++lane) out[d * lanes + lane] *= scratch.sum[work.lane + lane];
    }
  }

  /// Of the group of keys that begins at \p row of the visit's block.
  static float* scores_at(const Scratch& scratch, int row) { return scratch.scores[row / key_group % 2]; }
  Product scores_of(const Scratch& scratch, const Visit& visit, int row) const {
    const int lanes = visit.work.lanes();
    return {.a = visit.keys.k + row / tile_rows * keys.steps_k * tile_words,
            .a_row = std::int64_t{keys.steps_k} * tile_words,
            .b = q_of(scratch, visit.work),
            .b_bytes = lanes * 4,
            .c = scores_at(scratch, row),
            .c_bytes = lanes * 4,
            .rows = key_group / tile_rows,
            .columns = visit.work.slice->vectors,
            .depth = keys.steps_k};
  }
  /// Of the keys `[begin, end)` of the visit's block.
  Product outputs_of(const Scratch& scratch, const Visit& visit, int begin, int end) const {
    const int lanes = visit.work.lanes();
    return {.a = visit.keys.v + begin / tile_depth * tile_words,
            .a_row = std::int64_t{key_steps} * tile_words,
            .b = scratch.weights + begin / 2 * lanes,
            .b_bytes = lanes * 4,
            .c = out_of(scratch, visit.work),
            .c_bytes = lanes * 4,
            .rows = keys.columns_v / tile_rows,
            .columns = visit.work.slice->vectors,
            .depth = (end - begin) / tile_depth,
            .adds = true};
  }

  template <int vectors>
  void complete(const Scratch& scratch, const Visit& visit) const {
    constexpr int lanes = vectors * size;
    const Work& work = visit.work;
    const float* const top = scratch.top + work.lane;
    float* const sum = scratch.sum + work.lane;
    int begin = visit.begin;  // of the weights whose output is still to be done
    multiply(scores_of(scratch, visit, visit.begin));
    for (int row = visit.begin; row < visit.end; row += key_group) {
      const float unit = prepare<vectors>(scratch, visit, row);
      const float* const scores = scores_at(scratch, row);
      Vec part[vectors];
      const auto raise = [&] {
        Vec highest[vectors];
        find_maxima<vectors>(scores, unit, highest);
        for (int v = 0; v < vectors; ++v)
          highest[v] = Kokkos::Experimental::condition(too_large(part[v]), highest[v], lanes_at(top, v));
        if (!any_lane<vectors>([&](int v) { return lanes_at(top, v) < highest[v]; })) return;
        if (begin < row) output<vectors>(scratch, visit, begin, row);
        begin = row;
        raise_tops<vectors>(scratch, work, highest);
      };
      // The sums of weights tell where they became too large: only lanes that begin have to know before.
      if (lacks_top<vectors>(top)) {
        const Vec none(minus_infinity), all(-minus_infinity), nothing(0.0F);
        for (int v = 0; v < vectors; ++v)
          part[v] = Kokkos::Experimental::condition(lanes_at(top, v) == none, all, nothing);
        raise();
      }
      if (problem.row_max) note_maxima<vectors>(scores, unit, scratch.highest + work.lane);
      const Product next = scores_of(scratch, visit, row + key_group);
      Word* const weights = scratch.weights + row / 2 * lanes;
      weigh_group<vectors>(scores, unit, top, weights, part, row + key_group < visit.end ? &next : nullptr);
      if (any_lane<vectors>([&](int v) { return too_large(part[v]); })) {
        raise();
        weigh_group<vectors>(scores, unit, top, weights, part, nullptr);
      }
      for (int v = 0; v < vectors; ++v)
        host_simd::store<float>(sum + v * size, host_simd::load<float>(sum + v * size) + part[v]);
      if (dropout.active()) drop<vectors>(scratch, visit, row);
    }
    output<vectors>(scratch, visit, begin, visit.end);
  }

  /// Adds what the weights of the keys `[begin, end)` of a visit's block contribute.
  template <int vectors>
  void output(const Scratch& scratch, const Visit& visit, int begin, int end) const {
    if (visit.keys.special && !visit.sees_all()) {
      accumulate_visible<vectors>(scratch, visit, begin, end);
    } else {
      multiply(outputs_of(scratch, visit, begin, end));
    }
  }

  /// Masks and caps a group's scores where that is asked for. Returns what scores have to be multiplied with to be in
  /// log2 units.
  template <int vectors>
  float prepare(const Scratch& scratch, const Visit& visit, int row) const {
    const Slice& slice = *visit.work.slice;
    const float factor = portable::PairGradient<float>::score_factor(problem.shape);
    const bool in_place = problem.shape.softcap > 0 || !(factor > 0);  // the largest score is not the largest product's
    const std::int32_t first_key = visit.origin + row;
    if (in_place || first_key < slice.core.begin || first_key + key_group > slice.core.end)
      mask<vectors>(scratch, visit, row, in_place ? factor : 1.0F, scores_at(scratch, row));
    return in_place ? 1.0F : factor;
  }

  /// Scores times \p factor, capped, -inf where not visible.
  template <int vectors>
  __attribute__((noinline)) void mask(const Scratch& scratch, const Visit& visit, int row, float factor,
                                      float* scores) const {
    constexpr int lanes = vectors * size;
    const auto cap = static_cast<float>(problem.shape.softcap * Kokkos::numbers::log2e);
    alignas(64) float from[lanes], to[lanes];
    for (int lane = 0; lane < lanes; ++lane) {
      const int at = visit.work.slice->lane + lane;
      from[lane] = static_cast<float>(std::clamp(scratch.first[at] - visit.origin - row, 0, key_group));
      to[lane] = static_cast<float>(std::clamp(scratch.last[at] - visit.origin - row, 0, key_group));
    }
    for (int v = 0; v < vectors; ++v) {
      const Vec first = host_simd::load<float>(from + v * size), last = host_simd::load<float>(to + v * size);
      for (int i = 0; i < key_group; ++i) {
        float* const at = scores + i * lanes + v * size;
        Vec score = host_simd::load<float>(at) * Vec(factor);
        if (cap > 0) score = Vec(cap) * host_simd::tanh_of<float>(score);
        host_simd::store<float>(
            at, host_simd::where_visible<float>(static_cast<float>(i), first, last, score, Vec(minus_infinity)));
      }
    }
  }

  /// Lets \p highest, by lane, join a group's largest scores.
  template <int vectors>
  __attribute__((noinline)) static void note_maxima(const float* scores, float unit, float* highest) {
    Vec own[vectors];
    find_maxima<vectors>(scores, unit, own);
    for (int v = 0; v < vectors; ++v)
      host_simd::store<float>(highest + v * size, host_simd::larger<float>(own[v], lanes_at(highest, v)));
  }

  /// What weights are relative to becomes \p after, and what is there with it.
  template <int vectors>
  __attribute__((noinline)) void raise_tops(const Scratch& scratch, const Work& work,
                                            const Vec (&after)[vectors]) const {
    constexpr int lanes = vectors * size;
    const Vec zero(0.0F), one(1.0F);
    float* const out = out_of(scratch, work);
    for (int v = 0; v < vectors; ++v) {
      float *const top = scratch.top + work.lane + v * size, *const sum = scratch.sum + work.lane + v * size;
      const Vec before = host_simd::load<float>(top);
      host_simd::store<float>(top, after[v]);
      const Vec factor =
          Kokkos::Experimental::condition(before == after[v], one, host_simd::exp2_of<float>(before - after[v]));
      host_simd::store<float>(sum, host_simd::load<float>(sum) * factor);
      for (int c = 0; c < keys.columns_v; ++c) {
        float* const at = out + c * lanes + v * size;
        host_simd::store<float>(at, host_simd::load<float>(at) * factor);
      }
    }
  }

  /// A group of keys.
  template <int vectors>
  void drop(const Scratch& scratch, const Visit& visit, int row) const {
    constexpr int lanes = vectors * size;
    const auto keep_scale = static_cast<float>(dropout.keep_scale());
    for (int r = row; r < row + key_group; ++r) {
      for (int lane = 0; lane < lanes; ++lane) {
        Word* const word = scratch.weights + r / 2 * lanes + lane;
        const float weight = Words::get(word, r % 2);
        const bool keeps = dropout.keeps(visit.work.head, visit.work.slice->begin + lane, visit.origin + r);
        Words::set(word, r % 2, keeps ? weight * keep_scale : 0.0F);
      }
    }
  }

  /// Pair by pair, for blocks whose values hold infinities or NaN: they must reach the lanes that see them, no others.
  template <int vectors>
  void accumulate_visible(const Scratch& scratch, const Visit& visit, int begin, int end) const {
    constexpr int lanes = vectors * size;
    float* const out = out_of(scratch, visit.work);
    for (int lane = 0; lane < visit.work.slice->rows; ++lane) {
      const int at = visit.work.slice->lane + lane;
      const int from = std::max(begin, scratch.first[at] - visit.origin);
      const int to = std::min(end, scratch.last[at] - visit.origin);
      for (int r = from; r < to; ++r) {
        const float weight = Words::get(scratch.weights + r / 2 * lanes + lane, r % 2);
        for (int c = 0; c < keys.columns_v; ++c) {
          const Word* const tile = visit.keys.v + (c / tile_rows * key_steps + r / tile_depth) * tile_words;
          out[c * lanes + lane] += weight * Words::get(tile + c % tile_rows * tile_columns + r % tile_depth / 2, r % 2);
        }
      }
    }
  }

  void store_work(const Scratch& scratch, const Work& work) const {
    const Slice& slice = *work.slice;
    const int lanes = work.lanes();
    float* const factor = scratch.sum + work.lane;
    const auto write =
        host_simd::replacing<bfloat16>(problem.shape.total_q, problem.shape.heads_q, problem.shape.dim_v);
    host_simd::finish_rows(problem, slice.begin, slice.rows, work.head, scratch.top + work.lane,
                           scratch.highest + work.lane, factor);
    for (int lane = 0; lane < slice.rows; lane += size) {
      const int rows = std::min(size, slice.rows - lane), dim = problem.shape.dim_v;
      const float* const out = out_of(scratch, work) + lane;
      const Vec own = host_simd::load<float>(factor + lane);
      if (problem.out.type == ScalarType::bfloat16) {
        unpack_lanes(problem.out, slice.begin + lane, rows, work.head, dim, out, lanes, static_cast<__m512>(own),
                     write);
      } else {
        host_simd::unpack_lanes<bfloat16, float>(problem.out, slice.begin + lane, rows, work.head, dim, out, lanes, own,
                                                 write);
      }
    }
  }
};

}  // namespace caesura::host_tile
