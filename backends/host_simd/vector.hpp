// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_vector.hpp"
#include "backends/portable/math.hpp"
#include <caesura/scalar.hpp>

#include <Kokkos_Core.hpp>
#include <Kokkos_SIMD.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <utility>

// What the kernels do with vectors, one source for AVX2, AVX-512 and NEON: arithmetic through Kokkos' simd types, what
// those lack (interleaving, exponents) through the compiler's vector types, and the few operations that one
// instruction does on some target. Intrinsics appear in this file and in words.hpp alone.
//
// Only < and <= are used: Kokkos 4.7's > and >= of eight doubles have their sides swapped.

namespace caesura::host_simd {

template <class Real>
using Vector = typename HostVector<Real>::Type;
template <class Real>
inline constexpr int width = HostVector<Real>::width;

/// The compiler's own type of `width` values.
template <class Value, int count>
struct RawVector {
  using Type __attribute__((vector_size(sizeof(Value) * count))) = Value;
};
template <class Value, int count>
using Raw = typename RawVector<Value, count>::Type;

template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> load(const Real* from) {
  return Vector<Real>(from, Kokkos::Experimental::simd_flag_default);
}
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION void store(Real* to, const Vector<Real>& value) {
  value.copy_to(to, Kokkos::Experimental::simd_flag_default);
}

/// A vector from as many neighbors of another type.
template <class Real, class From>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> load_converted(const From* from) {
  if constexpr (std::is_same_v<From, Real>) {
    return load<Real>(from);
#if defined(__AVX512F__)
  } else if constexpr (std::is_same_v<From, half>) {
    return Vector<Real>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif defined(__AVX2__) && defined(__F16C__)
  } else if constexpr (std::is_same_v<From, half>) {
    return Vector<Real>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#endif
  } else {
    alignas(64) Real values[width<Real>];
    for (int i = 0; i < width<Real>; ++i) values[i] = static_cast<Real>(from[i]);
    return load<Real>(values);
  }
}

/// A vector as neighbors of another type.
template <class Real, class To>
KOKKOS_FORCEINLINE_FUNCTION void store_converted(To* to, const Vector<Real>& value) {
  if constexpr (std::is_same_v<To, Real>) {
    store<Real>(to, value);
#if defined(__AVX512F__)
  } else if constexpr (std::is_same_v<To, half>) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_cvtps_ph(static_cast<__m512>(value), _MM_FROUND_TO_NEAREST_INT));
#elif defined(__AVX2__) && defined(__F16C__)
  } else if constexpr (std::is_same_v<To, half>) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm256_cvtps_ph(static_cast<__m256>(value), _MM_FROUND_TO_NEAREST_INT));
#endif
  } else {
    alignas(64) Real values[width<Real>];
    store<Real>(values, value);
    for (int i = 0; i < width<Real>; ++i) to[i] = static_cast<To>(values[i]);
  }
}

inline constexpr int line_bytes = 64;  ///< of a cache line

/// Copies a cache line past the caches, where the target has a way to do that. Both are aligned to it.
inline void stream_line(void* to, const void* from) {
#if defined(__AVX__)
  // In halves: compilers convert in such vectors, and a store of half a line would hold up a load of all of it.
  for (int half = 0; half < 2; ++half)
    _mm256_stream_si256(static_cast<__m256i*>(to) + half, _mm256_load_si256(static_cast<const __m256i*>(from) + half));
#else
  std::memcpy(to, from, line_bytes);
#endif
}
/// The same from a vector of as many bytes.
template <class Values>
KOKKOS_FORCEINLINE_FUNCTION void stream_line(void* to, const Values& line) {
  static_assert(sizeof(Values) == line_bytes);
#if defined(__AVX512F__)
  _mm512_stream_si512(static_cast<__m512i*>(to), (__m512i)line);
#else
  alignas(line_bytes) std::byte bytes[line_bytes];
  std::memcpy(bytes, &line, line_bytes);
  stream_line(to, static_cast<const void*>(bytes));
#endif
}
/// Orders `stream_line`s of this thread before what it writes later, such as the signal that its work is done.
inline void fence_streams() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

/// The larger one, lane by lane; \p b where \p a is NaN.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> larger(const Vector<Real>& a, const Vector<Real>& b) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<Real, float>) {
    return Vector<Real>(_mm512_max_ps(static_cast<__m512>(a), static_cast<__m512>(b)));
  } else {
    return Vector<Real>(_mm512_max_pd(static_cast<__m512d>(a), static_cast<__m512d>(b)));
  }
#else
  return Kokkos::Experimental::condition(b < a, a, b);
#endif
}

template <class Real>
struct Exp2Coefficients;
/// 2^f = 1 + f (c1 + f (c2 + ..)) on [0, 1], the largest relative error made least (Remez): 8.3e-8.
template <>
struct Exp2Coefficients<float> {
  static constexpr float values[] = {1.F,
                                     0.69315131181760979029F,
                                     0.24016445003927302942F,
                                     0.055799913425224283813F,
                                     0.0090170299625296127575F,
                                     0.0018671302119512633242F};
};
/// 3.3e-18.
template <>
struct Exp2Coefficients<double> {
  static constexpr double values[] = {1.,
                                      0.69314718055994592842,
                                      0.24022650695906330204,
                                      0.055504108665602253297,
                                      0.0096181290995507955717,
                                      0.0013333558629566755226,
                                      0.00015403512309628660399,
                                      0.000015253175055562795993,
                                      1.3208367288951140366e-6,
                                      1.0253212435721934234e-7,
                                      6.559529322770528367e-9,
                                      6.2634661462920210149e-10};
};

namespace impl {
/// 2^x; with AVX-512, results may be subnormal.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> power_of_two(const Vector<Real>& x) {
  constexpr const auto& coefficients = Exp2Coefficients<Real>::values;
  constexpr int degree = static_cast<int>(std::size(coefficients)) - 1;
  const auto polynomial = [](const Vector<Real>& f) {
    Vector<Real> sum(coefficients[degree]);
    for (int i = degree - 1; i >= 0; --i) sum = Kokkos::fma(sum, f, Vector<Real>(coefficients[i]));
    return sum;
  };
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  // x - floor(x), and the product with 2^floor(x), are one instruction each.
  constexpr int round_down = _MM_FROUND_TO_NEG_INF;
  if constexpr (std::is_same_v<Real, float>) {
    const auto raw = static_cast<__m512>(x);
    const auto sum = static_cast<__m512>(polynomial(Vector<Real>(_mm512_reduce_ps(raw, round_down))));
    return Vector<Real>(_mm512_scalef_ps(sum, raw));
  } else {
    const auto raw = static_cast<__m512d>(x);
    const auto sum = static_cast<__m512d>(polynomial(Vector<Real>(_mm512_reduce_pd(raw, round_down))));
    return Vector<Real>(_mm512_scalef_pd(sum, raw));
  }
#else
  using C = portable::MathConstants<Real>;
  using Values = Raw<Real, width<Real>>;
  using Bits = Raw<typename C::Bits, width<Real>>;
  const auto raw = std::bit_cast<Values>(x);
  const Values least = Values{} + C::least, most = Values{} + C::most;
  Values bounded = raw < least ? least : raw;
  bounded = bounded > most ? most : bounded;
  const Values shifted = (bounded - Real(0.5)) + C::round_magic;  // floor, or one less at a power
  const Values f = bounded - (shifted - C::round_magic);
  const auto sum = std::bit_cast<Values>(polynomial(std::bit_cast<Vector<Real>>(f)));
  const Bits one = Bits{} + C::one;
  const auto power = std::bit_cast<Values>((std::bit_cast<Bits>(shifted) << C::mantissa) + one);
  return std::bit_cast<Vector<Real>>(raw < least ? Values{} : sum * power);
#endif
}
}  // namespace impl

/// 2^x; exactly 1 at 0, exactly 0 below the smallest normal power (no subnormal numbers, which are slow), NaN for NaN.
/// Relative error at most 2e-7 in float, 4e-16 in double: that of the polynomial and of its rounding.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> exp2_of(const Vector<Real>& x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  const Vector<Real> least(portable::MathConstants<Real>::least), none(-Kokkos::Experimental::infinity_v<Real>);
  return impl::power_of_two<Real>(Kokkos::Experimental::condition(x < least, none, x));
#else
  return impl::power_of_two<Real>(x);
#endif
}

/// `exp2_of`, many times. \p flushes: while it lives, the processor makes zeros of this thread's subnormal results, which
/// spares a comparison for each vector, and traps none; changing over and back takes as long as comparing some thirty.
template <class Real, bool flushes>
class Exp2 {
 public:
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  Exp2() {
    if constexpr (flushes) _mm_setcsr(before_ | _MM_FLUSH_ZERO_ON | _MM_MASK_UNDERFLOW);
  }
  ~Exp2() {
    if constexpr (flushes) _mm_setcsr(before_);
  }
  Exp2(const Exp2&) = delete;
  Exp2& operator=(const Exp2&) = delete;

  KOKKOS_FORCEINLINE_FUNCTION Vector<Real> operator()(const Vector<Real>& x) const {
    if constexpr (flushes) return impl::power_of_two<Real>(x);
    return exp2_of<Real>(x);
  }

 private:
  unsigned before_ = flushes ? _mm_getcsr() : 0;
#else
  KOKKOS_FORCEINLINE_FUNCTION Vector<Real> operator()(const Vector<Real>& x) const { return exp2_of<Real>(x); }
#endif
};

/// The natural logarithm of a positive normal number; NaN for NaN. Relative error about two units in the last place.
/// x = 2^e m with m in [1/sqrt(2), sqrt(2)), log(m) = 2 artanh(s), s = (m - 1) / (m + 1), by its series.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> log_of(const Vector<Real>& x) {
  using C = portable::MathConstants<Real>;
  using Values = Raw<Real, width<Real>>;
  using Bits = Raw<std::make_signed_t<typename C::Bits>, width<Real>>;  // exponents below 0
  constexpr int terms = std::is_same_v<Real, float> ? 5 : 11;
  const Bits bits = std::bit_cast<Bits>(x), root_half = std::bit_cast<Bits>(Values{} + Real(0.70710678118654752440));
  const Bits exponent = (bits - root_half) >> C::mantissa;
  const Values m = std::bit_cast<Values>(bits - (exponent << C::mantissa));
  const Values s = (m - 1) / (m + 1), square = s * s;
  Values series = Values{} + Real(1) / (2 * terms + 1);
  for (int i = terms - 1; i >= 0; --i) series = series * square + Real(1) / static_cast<Real>(2 * i + 1);
  const Values e = __builtin_convertvector(exponent, Values);
  const Values result = e * static_cast<Real>(Kokkos::numbers::ln2) + 2 * s * series;
  const Values raw = std::bit_cast<Values>(x);
  return std::bit_cast<Vector<Real>>(raw < Kokkos::Experimental::infinity_v<Real> ? result : raw);
}

/// tanh: Lambert's continued fraction near 0, 1 - 2 / (1 + e^2x) elsewhere.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> tanh_of(const Vector<Real>& x) {
  constexpr int depth = portable::MathConstants<Real>::tanh_depth;
  const Vector<Real> one(Real(1)), two(Real(2));
  const Vector<Real> square = x * x;
  Vector<Real> fraction(Real(2 * depth + 1));
  for (int i = depth - 1; i >= 0; --i) fraction = Vector<Real>(Real(2 * i + 1)) + square / fraction;
  const Vector<Real> power = exp2_of<Real>(x * Vector<Real>(static_cast<Real>(2 * Kokkos::numbers::log2e)));
  return Kokkos::Experimental::condition(square < Vector<Real>(Real(0.25)), x / fraction, one - two / (one + power));
}

/// \p value where `first <= key < last`, else \p other; all in the same origin, exact in Real.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Vector<Real> where_visible(const Vector<Real>& key, const Vector<Real>& first,
                                                       const Vector<Real>& last, const Vector<Real>& value,
                                                       const Vector<Real>& other) {
  return Kokkos::Experimental::condition((first <= key) && (key < last), value, other);
}

namespace impl {
template <int lane, class Values, int... i>
KOKKOS_FORCEINLINE_FUNCTION std::pair<Values, Values> zip(Values a, Values b, std::integer_sequence<int, i...>) {
  constexpr int all = sizeof...(i);
  return {__builtin_shufflevector(a, b, (i % 2 * all + i / lane * lane + i % lane / 2)...),
          __builtin_shufflevector(a, b, (i % 2 * all + i / lane * lane + i % lane / 2 + lane / 2)...)};
}
template <class Half, int... i>
KOKKOS_FORCEINLINE_FUNCTION auto join(Half low, Half high, std::integer_sequence<int, i...>) {
  return __builtin_shufflevector(low, high, i...);
}
}  // namespace impl

/// a0 b0 a1 b1 ..: the lower and the upper half of it. The same for every \p lane values by themselves.
template <class Value, int count, int lane = count>
KOKKOS_FORCEINLINE_FUNCTION std::pair<Raw<Value, count>, Raw<Value, count>> zip(Raw<Value, count> a,
                                                                                Raw<Value, count> b) {
  return impl::zip<lane>(a, b, std::make_integer_sequence<int, count>());
}

/// Takes the \p rows vectors as a matrix of as many rows and transposes it: `(rows, count)` becomes `(count, rows)`,
/// both in row-major order over the vectors. Each of the log2(rows) steps is a perfect shuffle. With \p lane, the same
/// for each of the matrices `(rows, lane)` that lie side by side.
template <int rows, class Value, int count, int lane = count>
KOKKOS_FORCEINLINE_FUNCTION void transpose(Raw<Value, count> (&matrix)[rows]) {
  static_assert(std::has_single_bit(static_cast<unsigned>(rows)));
#pragma GCC unroll 8
  for (int step = 1; step < rows; step *= 2) {
    Raw<Value, count> next[rows];
#pragma GCC unroll 32
    for (int i = 0; i < rows / 2; ++i) {
      const auto [low, high] = zip<Value, count, lane>(matrix[i], matrix[i + rows / 2]);
      next[2 * i] = low;
      next[2 * i + 1] = high;
    }
#pragma GCC unroll 32
    for (int i = 0; i < rows; ++i) matrix[i] = next[i];
  }
}

template <class Value>
inline constexpr int values_of_piece = 16 / static_cast<int>(sizeof(Value));  ///< of 128 bits

/// One vector of pieces of 128 bits, \p pitch values from one to the next.
template <class Value, int count>
KOKKOS_FORCEINLINE_FUNCTION Raw<Value, count> load_pieces(const Value* from, std::int64_t pitch) {
#if defined(__AVX512F__)
  // Each an instruction that a load port and either vector port share; compilers join halves of 256 bits by a shuffle.
  if constexpr (count == 4 * values_of_piece<Value>) {
    const auto piece = [&](int i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i * pitch)); };
    __m512i all = _mm512_castsi128_si512(piece(0));
    all = _mm512_inserti32x4(all, piece(1), 1);
    all = _mm512_inserti32x4(all, piece(2), 2);
    return (Raw<Value, count>)_mm512_inserti32x4(all, piece(3), 3);
  }
#endif
  if constexpr (count <= values_of_piece<Value>) {
    Raw<Value, count> all;
    std::memcpy(&all, from, sizeof(all));
    return all;
  } else {
    return impl::join(load_pieces<Value, count / 2>(from, pitch),
                      load_pieces<Value, count / 2>(from + count / 2 / values_of_piece<Value> * pitch, pitch),
                      std::make_integer_sequence<int, count>());
  }
}

/// Columns of rows in memory that are transposed at a time. Loads gather square matrices in pieces of 128 bits, so that
/// shuffles within the pieces remain: 2 steps, which few registers hold, instead of 4 (float, AVX-512).
template <int rows, class Value, int count>
inline constexpr int columns_at_once = rows == count ? std::min(count, values_of_piece<Value>) : count;

/// `columns_at_once` columns of \p rows rows, \p pitch values from one to the next, one column after the other.
template <int rows, class Value, int count, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void load_transposed(const Value* from, std::int64_t pitch,
                                                 Raw<Value, count> (&columns)[vectors]) {
  constexpr int piece = columns_at_once<rows, Value, count>;
  static_assert(vectors * count == rows * piece);
  if constexpr (rows == count) {
#pragma GCC unroll 4
    for (int i = 0; i < piece; ++i) columns[i] = load_pieces<Value, count>(from + i * pitch, piece * pitch);
  } else {
#pragma GCC unroll 32
    for (int i = 0; i < rows; ++i) std::memcpy(&columns[i], from + i * pitch, sizeof(columns[i]));
  }
  transpose<vectors, Value, count, piece>(columns);
}

}  // namespace caesura::host_simd
