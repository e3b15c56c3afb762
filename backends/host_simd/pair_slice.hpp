// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/slices.hpp"
#include "backends/portable/backward.hpp"
#include "backends/portable/tiles.hpp"

#include <algorithm>

// The pointwise part of the backward: from products to P^T and dS^T.

namespace caesura::host_simd {

/// P^T and dS^T of a slice of queries with some keys, in numbers, a row for each key.
template <class Words, int vectors>
struct PairSlice {
  using Real = typename Words::Real;
  using Pair = portable::PairGradient<Real>;
  static constexpr int lanes = vectors * width<Real>;

  Real *weights, *ds;
  int pitch;                ///< of both
  Real *slopes, *kept;      ///< `(keys, lanes)`: of a softcap, of dropout
  const Real *lse, *delta;  ///< by lane; lse in log2 units
  std::int32_t first_key;   ///< of row 0
  TileRange core;           ///< the keys that all lanes see
  TileRange seen;           ///< rows at hand, whole panels
  Vector<Real> first[vectors] = {},
               last[vectors] = {};  ///< by lane: the rows that it sees; set where `core` leaves some out

  bool is_partial(int row) const { return first_key + row < core.begin || first_key + row >= core.end; }

  /// Sets `first` and `last` if need be, from the keys that \p count lanes see, cut to \p most rows.
  void find_bounds(const std::int32_t* first_seen, const std::int32_t* last_seen, std::int64_t count, int most) {
    if (is_partial(seen.begin) || is_partial(seen.end - 1))
      lane_bounds<Real>(first_seen, last_seen, count, first_key, most, first, last);
  }

  /// Products become scores, capped, in log2 units, and \p slopes the derivatives, 1 - tanh^2; without a softcap they are.
  void cap(const Pair& pair, [[maybe_unused]] Real score_factor) const {
    if (pair.cap == 0) return;
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        Real* const at = weights + r * pitch + v * width<Real>;
        Vector<Real> score = load<Real>(at);
        if constexpr (Words::pack > 1) score = score * Vector<Real>(score_factor);
        const Vector<Real> t = tanh_of<Real>(score);
        store<Real>(slopes + r * lanes + v * width<Real>, Vector<Real>(Real(1)) - t * t);
        store<Real>(at, Vector<Real>(pair.cap) * t);
      }
    }
  }

  /// Scores become P^T.
  void weigh(const Pair& pair, Real score_factor) const {
    const Vector<Real> factor(pair.cap > 0 ? Real(1) : score_factor), zero(Real(0));
    const Exp2<Real, (vectors > 1)> exp2;
    Vector<Real> own[vectors];
    for (int v = 0; v < vectors; ++v) own[v] = load<Real>(lse + v * width<Real>);
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        Real* const at = weights + r * pitch + v * width<Real>;
        Vector<Real> score = load<Real>(at);
        if constexpr (Words::pack > 1) score = score * factor;
        Vector<Real> weight = exp2(score - own[v]);
        if (is_partial(r)) weight = where_visible<Real>(static_cast<Real>(r), first[v], last[v], weight, zero);
        store<Real>(at, weight);
      }
    }
  }

  /// dP^T as it is after dropout; `kept` are what multiplies the weights: 0, or 1 / (1 - probability).
  void drop(const Pair& pair, int head, std::int64_t first_row) const {
    if (!pair.dropout.active()) return;
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int lane = 0; lane < lanes; ++lane) {
        const bool keeps = pair.dropout.keeps(head, first_row + lane, first_key + r);
        Real& product = ds[r * pitch + lane];
        kept[r * lanes + lane] = keeps ? pair.keep_scale : Real(0);
        product = keeps ? product * pair.keep_scale : Real(0);
      }
    }
  }

  /// dP^T becomes dS^T. Slopes come before the mask: where nobody sees them they may be NaN.
  void slope(const Pair& pair) const {
    const Vector<Real> zero(Real(0));
    Vector<Real> own[vectors];
    for (int v = 0; v < vectors; ++v) own[v] = load<Real>(delta + v * width<Real>);
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int v = 0; v < vectors; ++v) {
        const int at = r * pitch + v * width<Real>;
        Vector<Real> value = load<Real>(weights + at) * (load<Real>(ds + at) - own[v]);
        if (pair.cap > 0) value = value * load<Real>(slopes + r * lanes + v * width<Real>);
        if (is_partial(r)) value = where_visible<Real>(static_cast<Real>(r), first[v], last[v], value, zero);
        store<Real>(ds + at, value);
      }
    }
  }

  /// dV takes the weights that the forward used.
  void drop_weights(const Pair& pair) const {
    if (!pair.dropout.active()) return;
    for (int r = seen.begin; r < seen.end; ++r) {
      for (int lane = 0; lane < lanes; ++lane) weights[r * pitch + lane] *= kept[r * lanes + lane];
    }
  }
};

}  // namespace caesura::host_simd
