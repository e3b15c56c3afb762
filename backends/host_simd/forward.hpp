// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/packed_keys.hpp"
#include "backends/host_simd/row_states.hpp"
#include "backends/host_simd/score_block.hpp"
#include "backends/host_simd/slices.hpp"
#include "backends/portable/backward.hpp"

// Forward for host vectors: AVX2, AVX-512, NEON. Queries are lanes, S^T = K Q^T and O^T = V^T P^T, so that the softmax is
// vertical; both products are one register-blocked kernel over packed factors. Limited by the FMA (or dot-product)
// units; the softmax takes eight or nine vector operations for `width` scores, against 2 dim of the products.

namespace caesura::host_simd {

using portable::Arena;

/// Of a slice: with three, products load fewer words for as many multiply-adds than with two. AVX2 gains 6 to 12 percent;
/// AVX-512 only where others share the core's load ports.
inline constexpr int forward_vectors = 3;
template <class Real>
using ForwardSlices = Slices<Real, forward_vectors>;

template <class Words>
struct ForwardScratch {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  Word* q;                     ///< slice by slice `(depth_qk, lanes)`, of all heads of the item
  Real* out;                   ///< slice by slice `(columns_v, lanes)`
  Real* scores;                ///< `(key_block, lanes)` of the slice at hand: S^T
  Word* weights;               ///< `(key_block / pack, lanes)`: P^T; where words are numbers, the memory of the scores
  Real *top, *sum;             ///< by lane: what weights are relative to (log2 units), and their sum
  Real* highest;               ///< by lane: running maximum (log2 units), where the caller asks for it
  std::int32_t *first, *last;  ///< by lane of one head

  ForwardScratch(Arena& arena, const AttentionShape& shape, int heads) {
    constexpr int lanes = ForwardSlices<Real>::lane_capacity, of_slice = ForwardSlices<Real>::lanes_of_slice;
    const int depth_qk = words_of(shape.dim_qk, Words::pack), columns_v = round_up(shape.dim_v, Block<Real>::rows);
    q = arena.take<Word>(std::int64_t{lanes} * heads * depth_qk);
    out = arena.take<Real>(std::int64_t{lanes} * heads * columns_v);
    scores = arena.take<Real>(key_block * of_slice);
    weights = take_weights<Words>(arena, scores, key_block, of_slice);
    top = arena.take<Real>(lanes * heads);
    sum = arena.take<Real>(lanes * heads);
    highest = arena.take<Real>(lanes * heads);
    first = arena.take<std::int32_t>(lanes);
    last = arena.take<std::int32_t>(lanes);
  }
};

/// Work item: a query tile, with one or several query heads that read the same key head.
template <class Space, class Scalar, class Words>
struct Forward {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  using Scratch = ForwardScratch<Words>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  static constexpr int panel = Block<Real>::rows;

  ForwardProblem problem;
  portable::DropoutRule dropout;
  PackedKeys<Words> keys;
  int first_head;     ///< of the query heads at hand
  int heads;          ///< of them
  int heads_of_item;  ///< divides the heads of a key head
  std::int64_t scratch_bytes;

  void operator()(const Member& team) const {
    const AttentionShape& shape = problem.shape;
    const TileSchedule& schedule = problem.rows.schedule;
    const int parts = heads / heads_of_item;
    const std::int32_t tile = schedule.order[team.league_rank() / parts];
    const int own_head = team.league_rank() % parts * heads_of_item;
    const int packed_head = own_head / (shape.heads_q / shape.heads_kv);
    const std::int64_t begin = std::int64_t{tile} * schedule.tile_rows;
    const std::int64_t end = std::min(begin + schedule.tile_rows, shape.total_q);

    Arena arena(portable::scratch_of<portable::Tile<Space, Real>>(team, scratch_bytes));
    const Scratch scratch(arena, shape, heads_of_item);
    ForwardSlices<Real> slices(problem.rows.intervals, begin, end);
    const auto for_each_work = [&](const auto& body) {
      for (int i = 0; i < heads_of_item; ++i) {
        for (const Slice& slice : slices) body(Work{slice, first_head + own_head + i, i * slices.lanes() + slice.lane});
      }
    };
    for_each_work([&](const Work& work) { load_work(scratch, work); });
    for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
      const TileRange hull = slices.load(problem.rows.intervals, layer, scratch.first, scratch.last);
      std::int32_t next = 0;  // block
      for (std::int32_t i = 0; i < schedule.run_count(layer, tile); ++i) {
        const TileRange run = schedule.run(layer, tile, i);
        const std::int32_t run_end = std::min(run.end, hull.end);
        for (next = std::max(next, run.begin / key_block); next * key_block < run_end; ++next) {
          const std::int32_t origin = next * key_block;
          const TileRange block{origin, origin + key_block};
          const KeysOfBlock<Words> own = keys.of(packed_head, next);
          int part = 0;
          for_each_work([&](const Work& work) {
            const Share share{part++, static_cast<int>(slices.end() - slices.begin()) * heads_of_item};
            if (!work.slice.sees(block)) return;
            switch (work.slice.vectors) {
              case 1: return visit<1>(scratch, work, own, origin, share);
              case 2: return visit<2>(scratch, work, own, origin, share);
              default: return visit<forward_vectors>(scratch, work, own, origin, share);
            }
          });
        }
      }
    }
    for_each_work([&](const Work& work) { store_work(scratch, work); });
    fence_streams();
  }

 private:
  /// A slice of one head.
  struct Work {
    const Slice& slice;
    int head;  ///< of the problem
    int lane;  ///< the first among those of all slices and heads of the item
  };

  /// Of what an item fetches, by slice.
  struct Share {
    int part, parts;

    int bytes() const { return std::max(1, line_bytes / parts); }
  };

  Word* q_of(const Scratch& scratch, const Work& work) const {
    return scratch.q + std::int64_t{work.lane} * words_of(problem.shape.dim_qk, Words::pack);
  }
  Real* out_of(const Scratch& scratch, const Work& work) const {
    return scratch.out + std::int64_t{work.lane} * keys.columns_v;
  }
  Real score_factor() const { return portable::PairGradient<Real>::score_factor(problem.shape); }

  void load_work(const Scratch& scratch, const Work& work) const {
    const Slice& slice = work.slice;
    const int head = work.head;
    const std::int64_t end = slice.begin + slice.rows;
    const int lanes = slice.vectors * width<Real>;
    const Real factor = Words::pack == 1 ? score_factor() : Real(1);
    for (int lane = 0; lane < lanes; lane += width<Real>) {
      pack_rows<Words, Scalar, width<Real>>({problem.q, end, head, problem.shape.dim_qk}, slice.begin + lane, factor,
                                            q_of(scratch, work) + lane, lanes);
    }
    begin_rows(problem, slice.begin, slice.rows, lanes, head, scratch.top + work.lane, scratch.highest + work.lane,
               scratch.sum + work.lane);
    Real* const out = out_of(scratch, work);
    if (!problem.merge) {
      std::fill_n(out, lanes * keys.columns_v, Real(0));
      return;
    }
    for (int lane = 0; lane < lanes; lane += width<Real>) {
      pack_rows<RealWords<Scalar>, Scalar, width<Real>>({problem.out, end, head, problem.shape.dim_v},
                                                        slice.begin + lane, 1, out + lane, lanes);
    }
    for (int d = 0; d < problem.shape.dim_v; ++d) {
      for (int lane = 0; lane < lanes; ++lane) out[d * lanes + lane] *= scratch.sum[work.lane + lane];
    }
  }

  /// One block of keys for one slice.
  template <int vectors>
  void visit(const Scratch& scratch, const Work& work, const KeysOfBlock<Words>& own, std::int32_t origin,
             Share share) const {
    const Slice& slice = work.slice;
    constexpr int lanes = vectors * width<Real>;
    const ScoreBlock<Words, vectors> block = {.scores = scratch.scores,
                                              .weights = scratch.weights,
                                              .first = scratch.first + slice.lane,
                                              .last = scratch.last + slice.lane,
                                              .core = slice.core,
                                              .origin = origin,
                                              .rows = {std::max(slice.hull.begin - origin, 0) / panel * panel,
                                                       round_up(std::min(slice.hull.end - origin, key_block), panel)}};
    const auto score = [&] {
      multiply_keys(scratch, work, own, block, block.rows.begin, share);
      block.adjust(problem.shape);
    };
    alignas(64) Real factor[lanes];
    const bool rises = block.weigh(score, problem, scratch.top + work.lane, scratch.sum + work.lane,
                                   scratch.highest + work.lane, factor);
    if (dropout.active()) block.drop(dropout, work.head, slice.begin);
    if (!block.is_full() && own.special) {
      accumulate_visible(scratch, work, own.v, block, factor);
    } else if (rises) {
      accumulate<vectors, Start::scaled>(scratch, work, own, block, block.rows.begin, share, factor);
    } else {
      accumulate<vectors, Start::keep>(scratch, work, own, block, block.rows.begin, share, factor);
    }
  }

  /// S^T of the block's rows from \p begin on, which only the last \p seeing of the vectors see. A causal slice leaves out
  /// most of what is masked.
  template <int vectors, int seeing = vectors>
  void multiply_keys(const Scratch& scratch, const Work& work, const KeysOfBlock<Words>& own,
                     const ScoreBlock<Words, vectors>& block, int begin, Share share) const {
    constexpr int lanes = vectors * width<Real>, lane = (vectors - seeing) * width<Real>;
    const int end = block.end_of(vectors - seeing + 1, begin);
    multiply_panels<Words, seeing, Start::zero>({.panels = (end - begin) / panel,
                                                 .depth = keys.depth_k,
                                                 .a = own.k + begin * keys.depth_k,
                                                 .a_panel = panel * keys.depth_k,
                                                 .b = q_of(scratch, work) + lane,
                                                 .b_pitch = lanes,
                                                 .c = scratch.scores + begin * lanes + lane,
                                                 .c_pitch = lanes,
                                                 .next = next_of(own.k, key_block * keys.depth_k, share),
                                                 .next_bytes = share.bytes()});
    if constexpr (seeing > 1) {
      if (end < block.rows.end) multiply_keys<vectors, seeing - 1>(scratch, work, own, block, end, share);
    }
  }

  /// O^T, times \p factor by lane (`Start::scaled`), grows by V^T P^T: of all rows that a vector sees, as above. Each part is
  /// a sum of its own; where bits must not depend on a row's neighbors there is one: what a lane does not see weighs 0.
  template <int vectors, Start start, int seeing = vectors>
  void accumulate(const Scratch& scratch, const Work& work, const KeysOfBlock<Words>& own,
                  const ScoreBlock<Words, vectors>& block, int begin, Share share, const Real* factor) const {
    constexpr int lanes = vectors * width<Real>, lane = (vectors - seeing) * width<Real>;
    constexpr int depth_of_block = key_block / Words::pack;
    const int end = problem.aligned_steps ? block.rows.end : block.end_of(vectors - seeing + 1, begin);
    multiply_panels<Words, seeing, start>({.panels = keys.columns_v / panel,
                                           .depth = (end - begin) / Words::pack,
                                           .a = own.v + begin / Words::pack * panel,
                                           .a_panel = depth_of_block * panel,
                                           .b = scratch.weights + begin / Words::pack * lanes + lane,
                                           .b_pitch = lanes,
                                           .c = out_of(scratch, work) + lane,
                                           .c_pitch = lanes,
                                           .factor = factor,
                                           .next = next_of(own.v, depth_of_block * keys.columns_v, share),
                                           .next_bytes = share.bytes()});
    if constexpr (seeing > 1) {
      if (end < block.rows.end)
        accumulate<vectors, Start::keep, seeing - 1>(scratch, work, own, block, end, share, factor);
    }
  }

  /// Packed blocks follow one another: a slice's share of the one behind \p block.
  const Word* next_of(const Word* block, int words, Share share) const {
    return block + words + std::int64_t{words} * share.part / share.parts;
  }

  /// Pair by pair, for blocks whose values hold infinities or NaN, which must reach the lanes that see them and no other.
  template <int vectors>
  void accumulate_visible(const Scratch& scratch, const Work& work, const Word* v,
                          const ScoreBlock<Words, vectors>& block, const Real* factor) const {
    constexpr int lanes = vectors * width<Real>, depth = key_block / Words::pack;
    Real* const out = out_of(scratch, work);
    for (int c = 0; c < keys.columns_v; ++c) {
      for (int u = 0; u < lanes; u += width<Real>) {
        Real* const at = out + c * lanes + u;
        store<Real>(at, load<Real>(at) * load<Real>(factor + u));
      }
    }
    block.for_each_visible(work.slice.rows, [&](int lane, int r, Real weight) {
      for (int c = 0; c < keys.columns_v; ++c) {
        const Word* word = v + c / panel * panel * depth + r / Words::pack * panel + c % panel;
        out[c * lanes + lane] += weight * Words::get(word, r % Words::pack);
      }
    });
  }

  void store_work(const Scratch& scratch, const Work& work) const {
    const Slice& slice = work.slice;
    const int head = work.head;
    const int lanes = slice.vectors * width<Real>;
    Real* const factor = scratch.sum + work.lane;
    const Write write = replacing<Scalar>(problem.shape.total_q, problem.shape.heads_q, problem.shape.dim_v);
    finish_rows<Real>(problem, slice.begin, slice.rows, head, scratch.top + work.lane, scratch.highest + work.lane,
                      factor);
    for (int lane = 0; lane < slice.rows; lane += width<Real>) {
      unpack_lanes<Scalar, Real>(problem.out, slice.begin + lane, std::min(width<Real>, slice.rows - lane), head,
                                 problem.shape.dim_v, out_of(scratch, work) + lane, lanes, load<Real>(factor + lane),
                                 write);
    }
  }
};

}  // namespace caesura::host_simd
