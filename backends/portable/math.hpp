// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <Kokkos_Core.hpp>

namespace caesura::portable {

template <class Real>
struct MathConstants;
template <>
struct MathConstants<float> {
  static constexpr int taylor_degree = 7;  // truncation 5e-9 of the value
  static constexpr float round_magic = 0x1.8p23f;
  static constexpr float least = -126, most = 127;
  static constexpr int tanh_depth = 4;
  using Bits = std::uint32_t;
  static constexpr Bits one = 0x3f800000u;
  static constexpr int mantissa = 23;
};
template <>
struct MathConstants<double> {
  static constexpr int taylor_degree = 13;  // truncation 5e-18
  static constexpr double round_magic = 0x1.8p52;
  static constexpr double least = -1022, most = 1023;
  static constexpr int tanh_depth = 8;
  using Bits = std::uint64_t;
  static constexpr Bits one = 0x3ff0000000000000u;
  static constexpr int mantissa = 52;
};

/// 2^x without branches, so that loops over it vectorize. Exactly 0 below the smallest normal power, saturated above
/// the largest; NaN stays NaN. Relative error below 2 units in the last place.
/// x = n + f with |f| <= 1/2; 2^f by its Taylor series, whose coefficients are ln(2)^i / i!.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Real exp2(Real x) {
  using C = MathConstants<Real>;
  using Bits = typename C::Bits;
  Real bounded = x < C::least ? C::least : x;
  bounded = bounded > C::most ? C::most : bounded;
  const Real shifted = bounded + C::round_magic;
  const Real f = bounded - (shifted - C::round_magic);
  constexpr auto coefficients = [] {
    Kokkos::Array<Real, C::taylor_degree + 1> result{};
    double term = 1;
    for (int i = 0; i <= C::taylor_degree; ++i) {
      result[i] = static_cast<Real>(term);
      term *= Kokkos::numbers::ln2 / (i + 1);
    }
    return result;
  }();
  Real sum = coefficients[C::taylor_degree];
  for (int i = C::taylor_degree - 1; i >= 0; --i) sum = sum * f + coefficients[i];
  const Real power = Kokkos::bit_cast<Real>((Kokkos::bit_cast<Bits>(shifted) << C::mantissa) + C::one);
  return x < C::least ? Real(0) : sum * power;
}

/// tanh without branches: Lambert's continued fraction near 0, 1 - 2 / (1 + e^2x) elsewhere.
template <class Real>
KOKKOS_FORCEINLINE_FUNCTION Real tanh(Real x) {
  using C = MathConstants<Real>;
  const Real square = x * x;
  Real fraction = 2 * C::tanh_depth + 1;
  for (int i = C::tanh_depth - 1; i >= 0; --i) fraction = Real(2 * i + 1) + square / fraction;
  const Real power = exp2(x * Real(2 * Kokkos::numbers::log2e));
  const Real far = Real(1) - Real(2) / (Real(1) + power);
  return square < Real(0.25) ? x / fraction : far;
}

/// Whether dropout keeps (query, key) of a head: Philox4x32-10, Salmon et al. 2011, doi:10.1145/2063384.2063405.
struct Philox {
  std::uint64_t seed;
  std::uint64_t offset;

  KOKKOS_FUNCTION std::uint32_t word(std::uint32_t head, std::uint32_t query, std::uint32_t key) const {
    std::uint32_t c[4] = {key >> 2, query, head, static_cast<std::uint32_t>(offset)};
    std::uint32_t k0 = static_cast<std::uint32_t>(seed);
    std::uint32_t k1 = static_cast<std::uint32_t>(seed >> 32) ^ static_cast<std::uint32_t>(offset >> 32);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c[2];
      const std::uint32_t next[4] = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(b),
                                     static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(a)};
      for (int i = 0; i < 4; ++i) c[i] = next[i];
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return c[key & 3u];
  }
};

/// Which pairs dropout keeps, by the rows of this problem.
class DropoutRule {
 public:
  explicit DropoutRule(const AttentionShape& shape)
      : dropout_(shape.dropout), last_q_(shape.total_q - 1), last_k_(shape.total_k - 1) {}

  KOKKOS_FUNCTION bool active() const { return dropout_.threshold > 0; }
  KOKKOS_FUNCTION double keep_scale() const { return dropout_.keep_scale; }
  /// Rows may lie behind the last one: lanes without a row ask too.
  KOKKOS_FUNCTION bool keeps(int head, std::int64_t query, std::int64_t key) const {
    return Philox{dropout_.seed, dropout_.offset}.word(
               static_cast<std::uint32_t>(dropout_.first_head + head), position(dropout_.q_positions, query, last_q_),
               position(dropout_.k_positions, key, last_k_)) >= dropout_.threshold;
  }

 private:
  KOKKOS_FUNCTION static std::uint32_t position(const std::int32_t* positions, std::int64_t row, std::int64_t last) {
    return static_cast<std::uint32_t>(positions ? positions[row < last ? row : last] : row);
  }

  DropoutRef dropout_;
  std::int64_t last_q_, last_k_;
};

}  // namespace caesura::portable
