// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/vector.hpp"
#include <caesura/scalar.hpp>

#include <cstdint>

// What products multiply. A word holds one step of a product's depth: one number in the accumulator type, into which
// tensors are converted when they are packed, or, where the target multiplies pairs of bfloat16 (AVX512-BF16), two
// neighbors along the depth.

namespace caesura::host_simd {

/// Numbers in the accumulator type.
template <class Scalar>
struct RealWords {
  using Real = accumulator_t<Scalar>;
  using Word = Real;
  using Value = Real;  ///< of packed tensors
  using WordVector = Vector<Real>;
  static constexpr int pack = 1;  ///< numbers a word

  KOKKOS_FORCEINLINE_FUNCTION static WordVector load_words(const Word* from) { return load<Real>(from); }
  KOKKOS_FORCEINLINE_FUNCTION static WordVector broadcast(Word word) { return WordVector(word); }
  KOKKOS_FORCEINLINE_FUNCTION static Vector<Real> multiply_add(const WordVector& a, const WordVector& b,
                                                               const Vector<Real>& sum) {
    return Kokkos::fma(a, b, sum);
  }
  static Real get(const Word* word, int) { return *word; }
  static void set(Word* word, int, Real value) { *word = value; }
};

#if defined(__AVX512BF16__) && defined(__AVX512BW__)
/// Pairs of bfloat16, the first one in the lower half. Products are exact, sums are float.
struct PairWords {
  using Real = float;
  using Word = std::uint32_t;
  using Value = bfloat16;
  using WordVector = __m512i;
  static constexpr int pack = 2;

  KOKKOS_FORCEINLINE_FUNCTION static WordVector load_words(const Word* from) { return _mm512_loadu_si512(from); }
  KOKKOS_FORCEINLINE_FUNCTION static WordVector broadcast(Word word) {
    return _mm512_set1_epi32(static_cast<int>(word));
  }
  KOKKOS_FORCEINLINE_FUNCTION static Vector<float> multiply_add(const WordVector& a, const WordVector& b,
                                                                const Vector<float>& sum) {
    return Vector<float>(_mm512_dpbf16_ps(static_cast<__m512>(sum), (__m512bh)a, (__m512bh)b));
  }
  /// The pairs (low, high) of each lane, rounded to nearest even.
  KOKKOS_FORCEINLINE_FUNCTION static WordVector pairs_of(const Vector<float>& low, const Vector<float>& high) {
    const __m512i low_bits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(static_cast<__m512>(low)));
    const __m512i high_bits = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(static_cast<__m512>(high)));
    return _mm512_or_si512(low_bits, _mm512_slli_epi32(high_bits, 16));
  }
  KOKKOS_FORCEINLINE_FUNCTION static void store_words(Word* to, const WordVector& words) {
    _mm512_storeu_si512(to, words);
  }
  /// A vector of numbers as neighbors, half a vector of words.
  KOKKOS_FORCEINLINE_FUNCTION static void store_row(Word* to, const Vector<float>& values) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(static_cast<__m512>(values)));
  }
  /// One number of a pair.
  static float get(const Word* word, int half) {
    return bfloat16::from_bits(static_cast<std::uint16_t>(*word >> (16 * half)));
  }
  static void set(Word* word, int half, float value) {
    *word = (*word & (0xffff0000U >> (16 * half))) | static_cast<Word>(bfloat16(value).bits()) << (16 * half);
  }
};
#endif

}  // namespace caesura::host_simd
