// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_tile/block_products.hpp"
#include "backends/host_tile/packed_keys.hpp"

// The softmax of the forward, lane by lane, for one group of keys and one or two vectors of lanes.

namespace caesura::host_tile {

/// 2^x as `host_simd::exp2_of`, but without a care for results that are no normal numbers: tiles take them for zeros.
/// Rounded weights need no degree of 5, but lse has their sums: with 4, its error (2.9e-6) was twice what tests allow.
KOKKOS_FORCEINLINE_FUNCTION __m512 exp2_of(__m512 x) {
  constexpr const auto& c = host_simd::Exp2Coefficients<float>::values;
  const __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF);
  __m512 sum = _mm512_set1_ps(c[5]);
#pragma GCC unroll 5
  for (int i = 4; i >= 0; --i) sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(c[i]));
  return _mm512_scalef_ps(sum, x);
}

/// Two vectors of weights, rounded, as pairs. Half a unit is added and the rest cut off: `vcvtne2ps2bf16` and the
/// permutation it needs take longer than these four (0.97x at dim 128, 0.94x at 64), and only ties differ.
KOKKOS_FORCEINLINE_FUNCTION __m512i weight_pairs(__m512 a, __m512 b) {
  const __m512i half = _mm512_set1_epi32(0x8000);
  const __m512i low = _mm512_srli_epi32(_mm512_add_epi32((__m512i)a, half), 16);
  return _mm512_mask_blend_epi16(0xaaaaaaaaU, low, _mm512_add_epi32((__m512i)b, half));
}

/// A vector of scores and the one \p pitch behind it, times \p unit, become weights relative to \p low, as pairs;
/// \p sum grows by them before they are rounded.
KOKKOS_FORCEINLINE_FUNCTION void weigh(const float* scores, int pitch, float unit, const host_simd::Vector<float>& low,
                                       host_simd::Vector<float>& sum, Word* weights) {
  const auto weight = [&](const float* from) {
    return exp2_of(_mm512_fmsub_ps(_mm512_load_ps(from), _mm512_set1_ps(unit), static_cast<__m512>(low)));
  };
  const __m512 a = weight(scores), b = weight(scores + pitch);
  sum = sum + host_simd::Vector<float>(_mm512_add_ps(a, b));
  _mm512_store_si512(weights, weight_pairs(a, b));
}

/// What weights are relative to (log2 units) follows a lane's largest score only where a group's weights would sum up to
/// more: floats have the room, and the output seldom has to be scaled.
inline constexpr int most_weight = key_group << 8;

using LaneVector = host_simd::Vector<float>;
inline constexpr float minus_infinity = -Kokkos::Experimental::infinity_v<float>;

/// Whether one of \p vectors vectors satisfies `holds(v)` in a lane.
template <int vectors, class Holds>
bool any_lane(const Holds& holds) {
  bool any = false;
  for (int v = 0; v < vectors; ++v) any |= Kokkos::Experimental::any_of(holds(v));
  return any;
}

inline LaneVector lanes_at(const float* lanes, int vector) {
  return host_simd::load<float>(lanes + vector * width<float>);
}

/// Whether a lane has nothing yet that weights are relative to.
template <int vectors>
bool lacks_top(const float* top) {
  return any_lane<vectors>([&](int v) { return lanes_at(top, v) == LaneVector(minus_infinity); });
}

/// Where weights are too large, if \p sums are those of a group's weights. A lane is judged by what it sees: the bits of a
/// row do not depend on its neighbors.
inline auto too_large(const LaneVector& sums) { return LaneVector(float{most_weight}) < sums; }

/// Each lane's largest score of a group `(key_group, lanes)` times \p unit.
template <int vectors>
void find_maxima(const float* scores, float unit, LaneVector (&highest)[vectors]) {
  constexpr int lanes = vectors * width<float>;
  for (int v = 0; v < vectors; ++v) {
    const auto score = [&](int i) { return lanes_at(scores + i * lanes, v); };
    LaneVector most(minus_infinity);
#pragma GCC unroll 4
    for (int i = 0; i < key_group; i += 4) {
      const LaneVector four = host_simd::larger<float>(host_simd::larger<float>(score(i), score(i + 1)),
                                                       host_simd::larger<float>(score(i + 2), score(i + 3)));
      most = host_simd::larger<float>(four, most);
    }
    highest[v] = most * LaneVector(unit);
  }
}

/// Turns a group's scores into weights, as pairs `(key_group / 2, lanes)`; \p sums become those of each lane. \p meanwhile,
/// if any, is a product of 2 x \p vectors tiles that tiles make at the same time.
template <int vectors>
void weigh_group(const float* scores, float unit, const float* top, Word* weights, LaneVector (&sums)[vectors],
                 const Product* meanwhile) {
  constexpr int lanes = vectors * width<float>, pairs = key_group / 2;
  const LaneVector none(minus_infinity), zero(0.0F);
  LaneVector low[vectors];
  for (int v = 0; v < vectors; ++v) {
    low[v] = Kokkos::Experimental::condition(lanes_at(top, v) == none, zero, lanes_at(top, v));
    sums[v] = zero;
  }
  int pair = 0;
  const auto weigh_until = [&](int end) {
    for (; pair < end; ++pair) {
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        const int at = v * width<float>;
        weigh(scores + 2 * pair * lanes + at, lanes, unit, low[v], sums[v], weights + pair * lanes + at);
      }
    }
  };
  if (meanwhile != nullptr) {
    // Stored halfway: vectors wait if they load what tiles have only just stored (0.94x at dim 64).
    for (int i = 0; i < meanwhile->depth; ++i) {
      multiply_part<vectors>(*meanwhile, i);
      weigh_until(pairs / 2 * (i + 1) / meanwhile->depth);
    }
    multiply_part<vectors>(*meanwhile, meanwhile->depth);
  }
  weigh_until(pairs);
}

}  // namespace caesura::host_tile
