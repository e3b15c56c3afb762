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

/// What weights are relative to follows a lane's largest score only where a block's weights would sum up to more: there is
/// room for them, and no maxima are looked for nor sums scaled before. Judged lane by lane: no row depends on others.
inline constexpr int most_weight = 1024;
/// Where the largest of a lane's first scores (log2 units) is between these, its weights are relative to 1 until they become
/// too large, 128 of 2^3 or more: nothing is subtracted from scores, an operation of nine. Not with a single score, whose
/// weight must be 1: what sees one key gets that key's value, exactly.
inline constexpr float least_begun_at_zero = -10, largest_begun_at_zero = 3;

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

  /// Products become scores, capped, and -inf where not visible.
  void adjust(const AttentionShape& shape) const {
    if (is_full() && !adjusts_all(shape)) return;
    adjust(static_cast<Real>(shape.softcap * Kokkos::numbers::log2e),
           adjusts_all(shape) ? product_factor(shape) : Real(1));
  }

  /// Scores become weights relative to \p top (by lane, log2 units), and join \p sum. Where a lane begins, or weights
  /// would be too large, top becomes its largest score; \p factor is what earlier weights have to be multiplied with.
  /// Returns whether that is not 1 everywhere. \p score makes the scores, once more if need be. Where the caller asks for
  /// the largest scores, \p highest follows them; nothing else depends on that.
  template <class Score>
  bool weigh(const Score& score, const ForwardProblem& problem, Real* top, Real* sum, Real* highest,
             Real* factor) const {
    const Real unit = adjusts_all(problem.shape) ? Real(1) : product_factor(problem.shape);
    alignas(64) Real part[lanes];
    score();
    if (problem.row_max) follow<false>(unit, Bounds(*this), highest);
    bool rises = all_are(top, minus_infinity);
    if (rises) {
      raise<false>(unit, part, top, factor);
    } else {
      weigh(unit, top, part);
      rises = !fits(top, part);
      if (rises) {
        score();
        raise<true>(unit, part, top, factor);
      } else {
        std::fill_n(factor, lanes, Real(1));
      }
    }
    if (rises) weigh(unit, top, part);
    // A block's sum is added as a whole: long rows lose fewer bits.
    for (int at = 0; at < lanes; at += width<Real>) {
      store<Real>(sum + at, load<Real>(sum + at) * load<Real>(factor + at) + load<Real>(part + at));
    }
    return rises;
  }

  /// The same where these are all scores that the lanes have, products so far: nothing was before them.
  void weigh_all(const ForwardProblem& problem, Real* top, Real* sum, Real* highest) const {
    const bool adjusted = adjusts_all(problem.shape);
    if (adjusted) adjust(problem.shape);
    const Real unit = adjusted ? Real(1) : product_factor(problem.shape);
    const Bounds bounds(*this);
    std::fill_n(highest, lanes, minus_infinity);
    adjusted || is_full() ? follow<false>(unit, bounds, highest) : follow<true>(unit, bounds, highest);
    for (int v = 0; v < vectors; ++v)
      store<Real>(top + v * width<Real>, base_of(load<Real>(highest + v * width<Real>), bounds.to[v] - bounds.from[v]));
    weigh<true>(unit, top, sum);
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

  /// By lane: the rows that it sees.
  struct Bounds {
    Vector<Real> from[vectors], to[vectors];

    explicit Bounds(const ScoreBlock& block) {
      lane_bounds<Real>(block.first, block.last, lanes, block.origin, block.rows.end, from, to);
    }
  };

  [[gnu::noinline]] void adjust(Real cap, [[maybe_unused]] Real unit) const {
    const Bounds bounds(*this);
    for (int r = rows.begin; r < rows.end; ++r) {
      const bool partial = origin + r < core.begin || origin + r >= core.end;
      for (int v = 0; v < vectors; ++v) {
        Real* const at = scores + r * lanes + v * width<Real>;
        Vector<Real> score = load<Real>(at);
        if constexpr (Words::pack > 1) score = score * Vector<Real>(unit);
        if (cap > 0) score = Vector<Real>(cap) * tanh_of<Real>(score);
        if (partial) score = where_visible<Real>(static_cast<Real>(r), bounds.from[v], bounds.to[v], score, none());
        store<Real>(at, score);
      }
    }
  }

  /// What products have to be multiplied with to be in log2 units; numbers took it with the rows of Q.
  static Real product_factor(const AttentionShape& shape) {
    return Words::pack == 1 ? Real(1) : portable::PairGradient<Real>::score_factor(shape);
  }
  /// Whether the largest product is not the largest score: `adjust` takes all of them, and that factor with it.
  static bool adjusts_all(const AttentionShape& shape) { return shape.softcap > 0 || !(product_factor(shape) > 0); }

  static Vector<Real> none() { return Vector<Real>(minus_infinity); }

  static bool all_are(const Real* top, Real value) {
    for (int at = 0; at < lanes; at += width<Real>) {
      if (!Kokkos::Experimental::all_of(load<Real>(top + at) == Vector<Real>(value))) return false;
    }
    return true;
  }

  /// Where weights that sum up to \p part are small enough; a lane that has not begun must have none.
  static auto fitting(const Vector<Real>& top, const Vector<Real>& part) {
    const Vector<Real> most(most_weight);
    return part <= Kokkos::Experimental::condition(top == none(), Vector<Real>(Real(0)), most);
  }
  static bool fits(const Real* top, const Real* part) {
    for (int at = 0; at < lanes; at += width<Real>) {
      if (!Kokkos::Experimental::all_of(fitting(load<Real>(top + at), load<Real>(part + at)))) return false;
    }
    return true;
  }

  /// What weights of a lane become relative to that begins with this largest score and sees so many keys.
  static Vector<Real> base_of(const Vector<Real>& highest, const Vector<Real>& keys) {
    const Vector<Real> zero(Real(0)), one(Real(1)), least(Real{least_begun_at_zero}),
        largest(Real{largest_begun_at_zero});
    return Kokkos::Experimental::condition(least <= highest && highest <= largest && one < keys, zero, highest);
  }

  /// Top becomes the largest score so far, or 0 where a lane begins with one close to it; \p judged: only
  /// where weights relative to it, which sum up to \p part, do not fit.
  template <bool judged>
  void raise(Real unit, [[maybe_unused]] const Real* part, Real* top, Real* factor) const {
    const Bounds bounds(*this);
    alignas(64) Real highest[lanes];
    std::copy_n(top, lanes, highest);
    follow<false>(unit, bounds, highest);
    const Vector<Real> one(Real(1));
    for (int v = 0; v < vectors; ++v) {
      const int at = v * width<Real>;
      const Vector<Real> before = load<Real>(top + at);
      Vector<Real> after = load<Real>(highest + at);
      after = Kokkos::Experimental::condition(before == none(), base_of(after, bounds.to[v] - bounds.from[v]), after);
      if constexpr (judged)
        after = Kokkos::Experimental::condition(fitting(before, load<Real>(part + at)), before, after);
      store<Real>(factor + at, Kokkos::Experimental::condition(before == after, one, exp2_of<Real>(before - after)));
      store<Real>(top + at, after);
    }
  }

  /// \p highest, by lane in log2 units, follows the largest scores; \p masks: those not visible become -inf before.
  template <bool masks>
  void follow([[maybe_unused]] Real unit, [[maybe_unused]] const Bounds& bounds, Real* highest) const {
    constexpr int chains = 4;
    [[maybe_unused]] Vector<Real> key(static_cast<Real>(rows.begin));
    Vector<Real> most[vectors][chains];
    for (int v = 0; v < vectors; ++v) {
      for (int i = 0; i < chains; ++i) most[v][i] = none();
    }
    for (int r = rows.begin; r < rows.end; r += chains) {
#pragma GCC unroll 4
      for (int i = 0; i < chains; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) {
          Real* const at = scores + (r + i) * lanes + v * width<Real>;
          Vector<Real> score = load<Real>(at);
          if constexpr (masks) {
            score = where_visible<Real>(key, bounds.from[v], bounds.to[v], score, none());
            store<Real>(at, score);
          }
          most[v][i] = larger<Real>(score, most[v][i]);
        }
        if constexpr (masks) key = key + Vector<Real>(Real(1));
      }
    }
    for (int v = 0; v < vectors; ++v) {
      Real* const at = highest + v * width<Real>;
      Vector<Real> own = larger<Real>(larger<Real>(most[v][0], most[v][1]), larger<Real>(most[v][2], most[v][3]));
      if constexpr (Words::pack > 1) own = own * Vector<Real>(unit);
      store<Real>(at, larger<Real>(own, load<Real>(at)));
    }
  }

  /// Scores become weights relative to \p top; \p part becomes their sum.
  void weigh(Real unit, const Real* top, Real* part) const {
    if constexpr (Words::pack == 1) {  // others subtract with their multiplication
      if (all_are(top, 0)) return weigh<false>(unit, top, part);
    }
    weigh<true>(unit, top, part);
  }

  template <bool subtracts>
  void weigh(Real unit, const Real* top, Real* part) const {
    const Exp2<Real, (vectors > 1)> exp2;
    Vector<Real> low[vectors], even[vectors], odd[vectors];
    for (int v = 0; v < vectors; ++v) {
      // Where a lane has not begun, any score makes the weight infinite, and -inf makes it zero.
      low[v] = larger<Real>(load<Real>(top + v * width<Real>), Vector<Real>(Kokkos::Experimental::finite_min_v<Real>));
      even[v] = odd[v] = Vector<Real>(Real(0));
    }
    const auto weight = [&](const Real* at, [[maybe_unused]] int v) __attribute__((always_inline)) {
      if constexpr (Words::pack == 1 && !subtracts) return exp2(load<Real>(at));
      if constexpr (Words::pack == 1) return exp2(load<Real>(at) - low[v]);
      return exp2(Kokkos::fma(load<Real>(at), Vector<Real>(unit), -low[v]));
    };
    for (int r = rows.begin; r < rows.end; r += 2) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        Real* const at = scores + r * lanes + v * width<Real>;
        const Vector<Real> a = weight(at, v), b = weight(at + lanes, v);
        even[v] = even[v] + a;
        odd[v] = odd[v] + b;
        if constexpr (Words::pack == 1) {
          store<Real>(at, a);
          store<Real>(at + lanes, b);
        } else {
          Words::store_words(weights + r / 2 * lanes + v * width<Real>, Words::pairs_of(a, b));
        }
      }
    }
    for (int v = 0; v < vectors; ++v) store<Real>(part + v * width<Real>, even[v] + odd[v]);
  }
};

}  // namespace caesura::host_simd
