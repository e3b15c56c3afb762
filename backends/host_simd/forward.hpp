// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/key_source.hpp"
#include "backends/host_simd/packed_keys.hpp"
#include "backends/host_simd/slices.hpp"
#include "backends/portable/backward.hpp"
#include "backends/portable/row_state.hpp"

// Forward for host vectors: AVX2, AVX-512, NEON. Queries are lanes, S^T = K Q^T and O^T = V^T P^T, so that the softmax is
// vertical; both products are one register-blocked kernel over packed factors. Limited by the FMA (or dot-product)
// units; the softmax takes about eleven vector operations for `width` scores, against 2 dim of the products.

namespace caesura::host_simd {

using portable::Arena;

template <class Words>
struct ForwardScratch {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  Word* q;                     ///< slice by slice `(depth_qk, lanes)`, of all heads of the item
  Real* out;                   ///< slice by slice `(columns_v, lanes)`
  Real* scores;                ///< `(key_block, lanes)` of the slice at hand: S^T
  Word* weights;               ///< `(key_block / pack, lanes)`: P^T; where words are numbers, the memory of the scores
  Real *top, *sum;             ///< by lane: running maximum (log2 units) and sum
  std::int32_t *first, *last;  ///< by lane of one head
  Word *k, *v;                 ///< one block, where the item packs it

  ForwardScratch(Arena& arena, const AttentionShape& shape, int heads, KeySource source) {
    constexpr int lanes = Slices<Real>::lane_capacity;
    const int depth_qk = words_of(shape.dim_qk, Words::pack), columns_v = round_up(shape.dim_v, Block<Real>::rows);
    q = arena.take<Word>(std::int64_t{lanes} * heads * depth_qk);
    out = arena.take<Real>(std::int64_t{lanes} * heads * columns_v);
    scores = arena.take<Real>(key_block * Block<Real>::lanes);
    if constexpr (Words::pack == 1) {
      weights = scores;
    } else {
      weights = arena.take<Word>(key_block / Words::pack * Block<Real>::lanes);
    }
    top = arena.take<Real>(lanes * heads);
    sum = arena.take<Real>(lanes * heads);
    first = arena.take<std::int32_t>(lanes);
    last = arena.take<std::int32_t>(lanes);
    const bool packs = source == KeySource::local;
    k = arena.take<Word>(packs ? key_block * depth_qk : 0);
    v = arena.take<Word>(packs ? key_block / Words::pack * columns_v : 0);
  }
};

/// Work item: a query tile, with one or several query heads that read the same key head.
template <class Space, class Scalar, class Words>
struct Forward {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  using Scratch = ForwardScratch<Words>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  static constexpr Real minus_infinity = -Kokkos::Experimental::infinity_v<Real>;
  static constexpr int panel = Block<Real>::rows;

  ForwardProblem problem;
  portable::DropoutRule dropout;
  PackedKeys<Words> keys;
  KeySource source;
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
    const Scratch scratch(arena, shape, heads_of_item, source);
    Slices<Real> slices(problem.rows.intervals, begin, end);
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
          const KeysOfBlock<Words> own = source == KeySource::packed
                                             ? keys.of(packed_head, next)
                                             : pack(scratch, first_head + own_head, origin, hull);
          int part = 0;
          for_each_work([&](const Work& work) {
            const Share share{part++, static_cast<int>(slices.end() - slices.begin()) * heads_of_item};
            if (!work.slice.sees(block)) return;
            work.slice.vectors == 2 ? visit<2>(scratch, work, own, origin, share)
                                    : visit<1>(scratch, work, own, origin, share);
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

  /// Packs what the item sees of a block.
  KeysOfBlock<Words> pack(const Scratch& scratch, int head, std::int32_t origin, TileRange hull) const {
    const AttentionShape& shape = problem.shape;
    const int head_kv = head / (shape.heads_q / shape.heads_kv);
    const TileRange rows{std::max(hull.begin - origin, 0) / panel * panel,
                         round_up(std::min(hull.end - origin, key_block), panel)};
    const bool special =
        pack_block<Words, Scalar>({problem.k, shape.total_k, head_kv, shape.dim_qk},
                                  {problem.v, shape.total_k, head_kv, shape.dim_v}, origin, rows, scratch.k, scratch.v);
    return {scratch.k, scratch.v, special};
  }

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
    for (int lane = 0; lane < lanes; ++lane) {
      const portable::RowState<Real> state = problem.merge && lane < slice.rows
                                                 ? portable::resume_row<Real>(problem, slice.begin + lane, head)
                                                 : portable::RowState<Real>{};
      scratch.top[work.lane + lane] = state.top;
      scratch.sum[work.lane + lane] = state.sum;
    }
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
    const int begin = std::max(slice.hull.begin - origin, 0) / panel * panel;
    const int end = round_up(std::min(slice.hull.end - origin, key_block), panel);
    const bool full = slice.core.begin <= origin + begin && origin + end <= slice.core.end;
    Real *const top = scratch.top + work.lane, *const sum = scratch.sum + work.lane;

    Vector<Real> after[vectors], low[vectors], part[vectors];
    for (int v = 0; v < vectors; ++v) after[v] = load<Real>(top + v * width<Real>);
    score<vectors>(scratch, work, own.k, origin, {begin, end}, full, share, after);
    alignas(64) Real factor[lanes];
    const Vector<Real> none(minus_infinity), zero(Real(0));
    for (int v = 0; v < vectors; ++v) {
      const Vector<Real> before = load<Real>(top + v * width<Real>);
      low[v] = Kokkos::Experimental::condition(after[v] == none, zero, after[v]);
      store<Real>(factor + v * width<Real>, Kokkos::Experimental::condition(before == after[v], Vector<Real>(Real(1)),
                                                                            exp2_of<Real>(before - low[v])));
      store<Real>(top + v * width<Real>, after[v]);
    }
    weigh<vectors>(scratch, begin, end, low, part);
    // A block's sum is added as a whole: long rows lose fewer bits.
    for (int v = 0; v < vectors; ++v) {
      const int at = v * width<Real>;
      store<Real>(sum + at, load<Real>(sum + at) * load<Real>(factor + at) + part[v]);
    }
    if (dropout.active()) drop<vectors>(scratch, work, origin, begin, end);
    if (!full && own.special) {
      accumulate_visible<vectors>(scratch, work, own.v, origin, begin, end, factor);
    } else {
      accumulate<vectors>(scratch, work, own.v, {begin, end}, share, factor);
    }
  }

  /// S^T of the keys \p range of a block, capped, and -inf where not visible; \p top becomes the largest of each lane.
  template <int vectors>
  void score(const Scratch& scratch, const Work& work, const Word* block, std::int32_t origin, TileRange range,
             bool full, Share share, Vector<Real> (&top)[vectors]) const {
    constexpr int lanes = vectors * width<Real>;
    const int depth = keys.depth_k;
    multiply_panels<Words, vectors, Start::zero>({.panels = (range.end - range.begin) / panel,
                                                  .depth = depth,
                                                  .a = block + range.begin * depth,
                                                  .a_panel = panel * depth,
                                                  .b = q_of(scratch, work),
                                                  .b_pitch = lanes,
                                                  .c = scratch.scores + range.begin * lanes,
                                                  .c_pitch = lanes,
                                                  .next = next_of(block, key_block * depth, share),
                                                  .next_bytes = share.bytes()});
    if (!full || problem.shape.softcap > 0 || Words::pack > 1) adjust<vectors>(scratch, work.slice, origin, range);
    constexpr int chains = 4;
    Vector<Real> most[vectors][chains];
    for (int v = 0; v < vectors; ++v) {
      for (int i = 0; i < chains; ++i) most[v][i] = top[v];
    }
    for (int r = range.begin; r < range.end; r += chains) {
#pragma GCC unroll 4
      for (int i = 0; i < chains; ++i) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v)
          most[v][i] = larger<Real>(load<Real>(scratch.scores + (r + i) * lanes + v * width<Real>), most[v][i]);
      }
    }
    for (int v = 0; v < vectors; ++v)
      top[v] = larger<Real>(larger<Real>(most[v][0], most[v][1]), larger<Real>(most[v][2], most[v][3]));
  }

  /// O^T, times \p factor by lane, grows by V^T P^T.
  template <int vectors>
  void accumulate(const Scratch& scratch, const Work& work, const Word* block, TileRange range, Share share,
                  const Real* factor) const {
    constexpr int lanes = vectors * width<Real>, depth_of_block = key_block / Words::pack;
    multiply_panels<Words, vectors, Start::scaled>({.panels = keys.columns_v / panel,
                                                    .depth = (range.end - range.begin) / Words::pack,
                                                    .a = block + range.begin / Words::pack * panel,
                                                    .a_panel = depth_of_block * panel,
                                                    .b = scratch.weights + range.begin / Words::pack * lanes,
                                                    .b_pitch = lanes,
                                                    .c = out_of(scratch, work),
                                                    .c_pitch = lanes,
                                                    .factor = factor,
                                                    .next = next_of(block, depth_of_block * keys.columns_v, share),
                                                    .next_bytes = share.bytes()});
  }

  /// Packed blocks follow one another: a slice's share of the one behind \p block.
  const Word* next_of(const Word* block, int words, Share share) const {
    return source == KeySource::packed ? block + words + std::int64_t{words} * share.part / share.parts : nullptr;
  }

  /// Products become scores: capped, and -inf where not visible.
  template <int vectors>
  [[gnu::noinline]] void adjust(const Scratch& scratch, const Slice& slice, std::int32_t origin,
                                TileRange range) const {
    constexpr int lanes = vectors * width<Real>;
    const auto cap = static_cast<Real>(problem.shape.softcap * Kokkos::numbers::log2e);
    const Vector<Real> none(minus_infinity);
    Vector<Real> first[vectors], last[vectors];
    bounds<vectors>(scratch, slice, origin, first, last);
    for (int r = range.begin; r < range.end; ++r) {
      const bool partial = origin + r < slice.core.begin || origin + r >= slice.core.end;
      for (int v = 0; v < vectors; ++v) {
        Real* const at = scratch.scores + r * lanes + v * width<Real>;
        Vector<Real> score = load<Real>(at);
        if constexpr (Words::pack > 1) score = score * Vector<Real>(score_factor());
        if (cap > 0) score = Vector<Real>(cap) * tanh_of<Real>(score);
        if (partial) score = where_visible<Real>(static_cast<Real>(r), first[v], last[v], score, none);
        store<Real>(at, score);
      }
    }
  }

  /// What each lane sees, counted from \p origin and cut to what a block can tell apart.
  template <int vectors>
  void bounds(const Scratch& scratch, const Slice& slice, std::int32_t origin, Vector<Real> (&first)[vectors],
              Vector<Real> (&last)[vectors]) const {
    constexpr int lanes = vectors * width<Real>;
    alignas(64) Real from[lanes], to[lanes];
    for (int lane = 0; lane < lanes; ++lane) {
      from[lane] = static_cast<Real>(std::clamp(scratch.first[slice.lane + lane] - origin, 0, key_block));
      to[lane] = static_cast<Real>(std::clamp(scratch.last[slice.lane + lane] - origin, 0, key_block));
    }
    for (int v = 0; v < vectors; ++v) {
      first[v] = load<Real>(from + v * width<Real>);
      last[v] = load<Real>(to + v * width<Real>);
    }
  }

  /// Scores become weights relative to \p low; \p part becomes their sum.
  template <int vectors>
  static void weigh(const Scratch& scratch, int begin, int end, const Vector<Real> (&low)[vectors],
                    Vector<Real> (&part)[vectors]) {
    constexpr int lanes = vectors * width<Real>;
    Vector<Real> other[vectors];
    for (int v = 0; v < vectors; ++v) part[v] = other[v] = Vector<Real>(Real(0));
    for (int r = begin; r < end; r += 2) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        Real* const even = scratch.scores + r * lanes + v * width<Real>;
        const Vector<Real> a = exp2_of<Real>(load<Real>(even) - low[v]);
        const Vector<Real> b = exp2_of<Real>(load<Real>(even + lanes) - low[v]);
        part[v] = part[v] + a;
        other[v] = other[v] + b;
        if constexpr (Words::pack == 1) {
          store<Real>(even, a);
          store<Real>(even + lanes, b);
        } else {
          Words::store_words(scratch.weights + r / 2 * lanes + v * width<Real>, Words::pairs_of(a, b));
        }
      }
    }
    for (int v = 0; v < vectors; ++v) part[v] = part[v] + other[v];
  }

  /// Weight of a key (counted from the block's begin) in P^T.
  template <int vectors>
  static Real weight_of(const Scratch& scratch, int key, int lane) {
    return Words::get(scratch.weights + key / Words::pack * vectors * width<Real> + lane, key % Words::pack);
  }

  template <int vectors>
  void drop(const Scratch& scratch, const Work& work, std::int32_t origin, int begin, int end) const {
    constexpr int lanes = vectors * width<Real>;
    const auto keep_scale = static_cast<Real>(dropout.keep_scale());
    for (int r = begin; r < end; ++r) {
      for (int lane = 0; lane < lanes; ++lane) {
        Word* const word = scratch.weights + r / Words::pack * lanes + lane;
        const Real weight = Words::get(word, r % Words::pack);
        Words::set(word, r % Words::pack,
                   dropout.keeps(work.head, work.slice.begin + lane, origin + r) ? weight * keep_scale : Real(0));
      }
    }
  }

  /// Pair by pair, for blocks whose values hold infinities or NaN, which must reach the lanes that see them and no other.
  template <int vectors>
  void accumulate_visible(const Scratch& scratch, const Work& work, const Word* v, std::int32_t origin, int begin,
                          int end, const Real* factor) const {
    const Slice& slice = work.slice;
    constexpr int lanes = vectors * width<Real>;
    Real* const out = out_of(scratch, work);
    for (int c = 0; c < keys.columns_v; ++c) {
      for (int u = 0; u < vectors; ++u) {
        Real* const at = out + c * lanes + u * width<Real>;
        store<Real>(at, load<Real>(at) * load<Real>(factor + u * width<Real>));
      }
    }
    constexpr int depth = key_block / Words::pack;
    for (int lane = 0; lane < slice.rows; ++lane) {
      const int from = std::max(begin, scratch.first[slice.lane + lane] - origin);
      const int to = std::min(end, scratch.last[slice.lane + lane] - origin);
      for (int r = from; r < to; ++r) {
        const Real weight = weight_of<vectors>(scratch, r, lane);
        for (int c = 0; c < keys.columns_v; ++c) {
          const Word* word = v + c / panel * panel * depth + r / Words::pack * panel + c % panel;
          out[c * lanes + lane] += weight * Words::get(word, r % Words::pack);
        }
      }
    }
  }

  void store_work(const Scratch& scratch, const Work& work) const {
    const Slice& slice = work.slice;
    const int head = work.head;
    const int lanes = slice.vectors * width<Real>;
    Real* const factor = scratch.sum + work.lane;
    const Write write = replacing<Scalar>(problem.shape.total_q, problem.shape.heads_q, problem.shape.dim_v);
    for (int lane = 0; lane < slice.rows; ++lane)
      factor[lane] =
          portable::finish_row<Real>(problem, slice.begin + lane, head, {scratch.top[work.lane + lane], factor[lane]});
    for (int lane = 0; lane < slice.rows; lane += width<Real>) {
      unpack_lanes<Scalar, Real>(problem.out, slice.begin + lane, std::min(width<Real>, slice.rows - lane), head,
                                 problem.shape.dim_v, out_of(scratch, work) + lane, lanes, load<Real>(factor + lane),
                                 write);
    }
  }
};

}  // namespace caesura::host_simd
