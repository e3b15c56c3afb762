// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_tile/pack.hpp"

namespace caesura::host_tile {

/// 2^x as `host_simd::exp2_of`, but without a care for results that are no normal numbers: rounding to bfloat16 makes
/// them zero.
KOKKOS_FORCEINLINE_FUNCTION __m512 exp2_of(__m512 x) {
  constexpr const auto& c = host_simd::Exp2Coefficients<float>::values;
  const __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF);
  __m512 sum = _mm512_set1_ps(c[5]);
#pragma GCC unroll 5
  for (int i = 4; i >= 0; --i) sum = _mm512_fmadd_ps(sum, f, _mm512_set1_ps(c[i]));
  return _mm512_scalef_ps(sum, x);
}

/// Which half word of (high, low), as one instruction rounds two vectors, comes where so that lanes become pairs.
inline __m512i pair_order() {
  alignas(64) std::uint16_t order[32];
  for (int i = 0; i < 32; ++i) order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * 16);
  return _mm512_load_si512(order);
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
  _mm512_store_si512(weights, _mm512_permutexvar_epi16(pair_order(), (__m512i)_mm512_cvtne2ps_pbh(b, a)));
}

}  // namespace caesura::host_tile
