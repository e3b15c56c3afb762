// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace caesura {

/// IEEE binary16 in 16 bits of storage on every build (Kokkos' own half is 32 bits wide without a device).
/// Arithmetic happens in float; conversions round to nearest even and keep NaN, infinities and subnormals.
class half {
 public:
  half() = default;
  KOKKOS_FUNCTION explicit half(float value) : bits_(encode(value)) {}
  KOKKOS_FUNCTION operator float() const { return decode(bits_); }
  KOKKOS_FUNCTION static half from_bits(std::uint16_t bits) {
    half result;
    result.bits_ = bits;
    return result;
  }
  KOKKOS_FUNCTION std::uint16_t bits() const { return bits_; }

 private:
  KOKKOS_FUNCTION static float decode(std::uint16_t bits) {
    const std::uint32_t sign = std::uint32_t(bits & 0x8000u) << 16;
    const std::uint32_t magnitude = std::uint32_t(bits & 0x7fffu) << 13;
    // Re-biases the exponent by 127 - 15 = 112; the product is exact and also normalizes subnormals.
    const float value = Kokkos::bit_cast<float>(magnitude) * 0x1p112f;
    const std::uint32_t finite = Kokkos::bit_cast<std::uint32_t>(value);
    const std::uint32_t special = magnitude | 0x7f800000u;  // infinity or NaN, payload kept
    return Kokkos::bit_cast<float>(sign | (magnitude >= 0x0f800000u ? special : finite));
  }

  KOKKOS_FUNCTION static std::uint16_t encode(float value) {
    const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (bits >> 16) & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    const std::uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | ((magnitude >> 13) & 0x1ffu) : 0x7c00u;
    // Below 2^-14 the sum with 0.5 shifts the value into place and rounds it.
    const std::uint32_t subnormal =
        Kokkos::bit_cast<std::uint32_t>(Kokkos::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    const std::uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    const std::uint32_t rounded = magnitude >= 0x477ff000u ? special : (magnitude < 0x38800000u ? subnormal : normal);
    return static_cast<std::uint16_t>(sign | rounded);
  }

  std::uint16_t bits_;
};

/// bfloat16: the upper 16 bits of a float. Rounds to nearest even; NaN stays NaN.
class bfloat16 {
 public:
  bfloat16() = default;
  KOKKOS_FUNCTION explicit bfloat16(float value) : bits_(encode(value)) {}
  KOKKOS_FUNCTION operator float() const { return Kokkos::bit_cast<float>(std::uint32_t(bits_) << 16); }
  KOKKOS_FUNCTION static bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 result;
    result.bits_ = bits;
    return result;
  }
  KOKKOS_FUNCTION std::uint16_t bits() const { return bits_; }

 private:
  KOKKOS_FUNCTION static std::uint16_t encode(float value) {
    const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(value);
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    return static_cast<std::uint16_t>(is_nan ? (bits >> 16) | 0x40u : rounded);
  }

  std::uint16_t bits_;
};

static_assert(sizeof(half) == 2 && std::is_trivially_copyable_v<half>);
static_assert(sizeof(bfloat16) == 2 && std::is_trivially_copyable_v<bfloat16>);

/// The scalars that attention is defined for.
enum class ScalarType : std::uint8_t { float64, float32, float16, bfloat16 };

namespace impl {
template <class Scalar>
struct ScalarTraits;
template <>
struct ScalarTraits<double> {
  static constexpr ScalarType type = ScalarType::float64;
  using Accumulator = double;
};
template <>
struct ScalarTraits<float> {
  static constexpr ScalarType type = ScalarType::float32;
  using Accumulator = float;
};
template <>
struct ScalarTraits<half> {
  static constexpr ScalarType type = ScalarType::float16;
  using Accumulator = float;
};
template <>
struct ScalarTraits<bfloat16> {
  static constexpr ScalarType type = ScalarType::bfloat16;
  using Accumulator = float;
};
}  // namespace impl

/// One of double, float, half, bfloat16.
template <class Scalar>
concept AttentionScalar = requires { impl::ScalarTraits<Scalar>::type; };

/// The type sums are kept in: float, and double for double.
template <AttentionScalar Scalar>
using accumulator_t = typename impl::ScalarTraits<Scalar>::Accumulator;

template <AttentionScalar Scalar>
inline constexpr ScalarType scalar_type_v = impl::ScalarTraits<Scalar>::type;

/// The name users type: `double`, `float`, `half`, `bfloat16`.
constexpr std::string_view name_of(ScalarType type) {
  constexpr std::string_view names[] = {"double", "float", "half", "bfloat16"};
  return names[static_cast<int>(type)];
}

constexpr int bytes_of(ScalarType type) {
  constexpr int bytes[] = {8, 4, 2, 2};
  return bytes[static_cast<int>(type)];
}

constexpr ScalarType accumulator_of(ScalarType type) {
  return type == ScalarType::float64 ? ScalarType::float64 : ScalarType::float32;
}

}  // namespace caesura
