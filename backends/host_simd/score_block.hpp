// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/slices.hpp"
#include "backends/portable/backward.hpp"
#include "backends/portable/residents.hpp"

#include <algorithm>

// The softmax of the forward: what a product left becomes what the next one multiplies.

namespace caesura::host_simd {

/// Memory for P^T of \p keys keys: where words are numbers, that of the scores.
template <class Words>
typename Words::Word* take_weights(portable::Arena& arena, [[maybe_unused]] typename Words::Real* scores, int keys,
                                   int lanes) {
  if constexpr (Words::pack == 1) {
    return scores;
  } else {
    return arena.take<typename Words::Word>(keys / Words::pack * lanes);
  }
}

/// S^T of one slice and some keys, `(keys, lanes)`, on its way to P^T.
template <class Words, int vectors>
struct ScoreBlock {
  using Real = typename Words::Real;
  using Word = typename Words::Word;
  static constexpr int lanes = vectors * width<Real>;

  Real* scores;
  Word* weights;                     ///< P^T `(keys / pack, lanes)`; where words are numbers, the memory of the scores
  const std::int32_t *first, *last;  ///< by lane: the keys that it sees
  TileRange core;                    ///< the keys that all lanes see
  std::int32_t origin;               ///< the key of the first row
  TileRange rows;                    ///< those at hand, whole panels

  bool is_full() const { return core.begin <= origin + rows.begin && origin + rows.end <= core.end; }

  /// Up to where one of the first \p leading vectors sees rows, from row \p begin on; whole panels.
  int end_of(int leading, int begin) const {
    if (leading == vectors || is_full()) return rows.end;
    const std::int32_t end = *std::max_element(last, last + leading * width<Real>) - origin;
    return std::max(portable::round_up(std::min(end, rows.end), Block<Real>::rows), begin);
  }

  /// Products become scores, capped, and -inf where not visible; those of pairs take their factor here.
  void adjust(const AttentionShape& shape) const {
    if (!is_full() || shape.softcap > 0 || Words::pack > 1)
      adjust(static_cast<Real>(shape.softcap * Kokkos::numbers::log2e),
             portable::PairGradient<Real>::score_factor(shape));
  }

  /// Scores become weights relative to the largest score of each lane so far, \p top (log2 units), and join \p sum;
  /// \p factor becomes what earlier weights have to be multiplied with.
  void weigh(Real* top, Real* sum, Real* factor) const {
    Vector<Real> after[vectors], low[vectors], part[vectors];
    for (int v = 0; v < vectors; ++v) after[v] = load<Real>(top + v * width<Real>);
    raise(after);
    const Vector<Real> none(minus_infinity), zero(Real(0));
    for (int v = 0; v < vectors; ++v) {
      const Vector<Real> before = load<Real>(top + v * width<Real>);
      low[v] = Kokkos::Experimental::condition(after[v] == none, zero, after[v]);
      store<Real>(factor + v * width<Real>, Kokkos::Experimental::condition(before == after[v], Vector<Real>(Real(1)),
                                                                            exp2_of<Real>(before - low[v])));
      store<Real>(top + v * width<Real>, after[v]);
    }
    weigh(low, part);
    // A block's sum is added as a whole: long rows lose fewer bits.
    for (int v = 0; v < vectors; ++v) {
      const int at = v * width<Real>;
      store<Real>(sum + at, load<Real>(sum + at) * load<Real>(factor + at) + part[v]);
    }
  }

  /// \p query is that of the first lane.
  void drop(const portable::DropoutRule& dropout, int head, std::int64_t query) const {
    const auto keep_scale = static_cast<Real>(dropout.keep_scale());
    for (int r = rows.begin; r < rows.end; ++r) {
      for (int lane = 0; lane < lanes; ++lane) {
        Word* const word = weights + r / Words::pack * lanes + lane;
        const Real weight = Words::get(word, r % Words::pack);
        Words::set(word, r % Words::pack,
                   dropout.keeps(head, query + lane, origin + r) ? weight * keep_scale : Real(0));
      }
    }
  }

  /// Calls \p body(lane, row, weight) for each pair of the first \p count lanes that is visible.
  template <class Body>
  void for_each_visible(int count, const Body& body) const {
    for (int lane = 0; lane < count; ++lane) {
      const int from = std::max(rows.begin, first[lane] - origin), to = std::min(rows.end, last[lane] - origin);
      for (int r = from; r < to; ++r)
        body(lane, r, Words::get(weights + r / Words::pack * lanes + lane, r % Words::pack));
    }
  }

 private:
  static constexpr Real minus_infinity = -Kokkos::Experimental::infinity_v<Real>;

  [[gnu::noinline]] void adjust(Real cap, [[maybe_unused]] Real score_factor) const {
    const Vector<Real> none(minus_infinity);
    Vector<Real> from[vectors], to[vectors];
    lane_bounds<Real>(first, last, lanes, origin, rows.end, from, to);
    for (int r = rows.begin; r < rows.end; ++r) {
      const bool partial = origin + r < core.begin || origin + r >= core.end;
      for (int v = 0; v < vectors; ++v) {
        Real* const at = scores + r * lanes + v * width<Real>;
        Vector<Real> score = load<Real>(at);
        if constexpr (Words::pack > 1) score = score * Vector<Real>(score_factor);
        if (cap > 0) score = Vector<Real>(cap) * tanh_of<Real>(score);
        if (partial) score = where_visible<Real>(static_cast<Real>(r), from[v], to[v], score, none);
        store<Real>(at, score);
      }
    }
  }

  /// \p top becomes the largest of each lane.
  void raise(Vector<Real> (&top)[vectors]) const {
    constexpr int chains = 4;
    Vector<Real> most[vectors][chains];
    for (int v = 0; v < vectors; ++v) {
      for (int i = 0; i < chains; ++i) most[v][i] = top[v];
    }
    for (int r = rows.begin; r < rows.end; r += chains) {
#pragma GCC unroll 4
      for (int i = 0; i < chains; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v)
          most[v][i] = larger<Real>(load<Real>(scores + (r + i) * lanes + v * width<Real>), most[v][i]);
      }
    }
    for (int v = 0; v < vectors; ++v)
      top[v] = larger<Real>(larger<Real>(most[v][0], most[v][1]), larger<Real>(most[v][2], most[v][3]));
  }

  /// Scores become weights relative to \p low; \p part becomes their sum.
  void weigh(const Vector<Real> (&low)[vectors], Vector<Real> (&part)[vectors]) const {
    Vector<Real> other[vectors];
    for (int v = 0; v < vectors; ++v) part[v] = other[v] = Vector<Real>(Real(0));
    for (int r = rows.begin; r < rows.end; r += 2) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        Real* const even = scores + r * lanes + v * width<Real>;
        const Vector<Real> a = exp2_of<Real>(load<Real>(even) - low[v]);
        const Vector<Real> b = exp2_of<Real>(load<Real>(even + lanes) - low[v]);
        part[v] = part[v] + a;
        other[v] = other[v] + b;
        if constexpr (Words::pack == 1) {
          store<Real>(even, a);
          store<Real>(even + lanes, b);
        } else {
          Words::store_words(weights + r / 2 * lanes + v * width<Real>, Words::pairs_of(a, b));
        }
      }
    }
    for (int v = 0; v < vectors; ++v) part[v] = part[v] + other[v];
  }
};

}  // namespace caesura::host_simd
