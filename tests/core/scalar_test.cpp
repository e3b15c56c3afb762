// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/scalar.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace caesura::testing {
namespace {

/// A 16-bit format by its definition: exponent and mantissa bits.
template <class Scalar>
struct Format;
template <>
struct Format<half> {
  static constexpr int exponent_bits = 5, mantissa_bits = 10;
};
template <>
struct Format<bfloat16> {
  static constexpr int exponent_bits = 8, mantissa_bits = 7;
};

/// The value of a pattern with ldexp alone.
template <class Scalar>
double value_of(std::uint16_t bits) {
  constexpr int e = Format<Scalar>::exponent_bits, m = Format<Scalar>::mantissa_bits;
  const double sign = bits & 0x8000 ? -1 : 1;
  const int exponent = (bits >> m) & ((1 << e) - 1), mantissa = bits & ((1 << m) - 1), bias = (1 << (e - 1)) - 1;
  if (exponent == (1 << e) - 1) return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - m);
  return sign * std::ldexp((1 << m) + mantissa, exponent - bias - m);
}

/// Rounds to nearest even by comparing with both neighbors; patterns of one sign are ordered as their values.
template <class Scalar>
std::uint16_t nearest(float value) {
  constexpr int e = Format<Scalar>::exponent_bits, m = Format<Scalar>::mantissa_bits;
  const auto infinite = static_cast<std::uint16_t>(((1 << e) - 1) << m);
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::abs(static_cast<double>(value));
  std::uint16_t low = 0, high = infinite;  // value_of(low) <= magnitude
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (value_of<Scalar>(middle) <= magnitude ? low : high) = middle;
  }
  // The last finite value rounds up as if another binade followed.
  const double below = value_of<Scalar>(low);
  const double above =
      high == infinite ? 2 * below - value_of<Scalar>(static_cast<std::uint16_t>(low - 1)) : value_of<Scalar>(high);
  const double down = magnitude - below, up = above - magnitude;
  const bool take_high = std::isinf(magnitude) || up < down || (up == down && low % 2 == 1);
  return static_cast<std::uint16_t>(sign | (take_high ? high : low));
}

template <class Scalar>
class Scalar16 : public ::testing::Test {};
using Scalars16 = ::testing::Types<half, bfloat16>;
TYPED_TEST_SUITE(Scalar16, Scalars16);

TYPED_TEST(Scalar16, EveryPatternHasItsValueAndComesBack) {
  for (std::uint32_t pattern = 0; pattern <= 0xffff; ++pattern) {
    const auto bits = static_cast<std::uint16_t>(pattern);
    const auto scalar = TypeParam::from_bits(bits);
    const float value = scalar;
    const double expected = value_of<TypeParam>(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << pattern;
      ASSERT_TRUE(std::isnan(static_cast<float>(TypeParam(value)))) << pattern;
    } else {
      ASSERT_EQ(static_cast<double>(value), expected) << pattern;
      ASSERT_EQ(std::signbit(value), bool(bits & 0x8000)) << pattern;
      ASSERT_EQ(TypeParam(value).bits(), bits) << pattern;
    }
  }
}

TYPED_TEST(Scalar16, RoundsToNearestEven) {
  // Around every value and every midpoint, one float to each side.
  for (std::uint32_t pattern = 0; pattern < 0x7fff; ++pattern) {
    const double low = value_of<TypeParam>(static_cast<std::uint16_t>(pattern));
    const double high = value_of<TypeParam>(static_cast<std::uint16_t>(pattern + 1));
    if (!std::isfinite(low)) break;
    const auto middle = static_cast<float>(std::isfinite(high) ? (low + high) / 2 : low);
    for (const float center : {static_cast<float>(low), middle}) {
      for (const float x : {std::nextafter(center, -INFINITY), center, std::nextafter(center, INFINITY)}) {
        ASSERT_EQ(TypeParam(x).bits(), nearest<TypeParam>(x)) << x;
        ASSERT_EQ(TypeParam(-x).bits(), nearest<TypeParam>(-x)) << -x;
      }
    }
  }
}

TYPED_TEST(Scalar16, RoundsRandomFloatsToNearestEven) {
  constexpr std::uint64_t seed = 16;
  Random random(seed);
  for (int i = 0; i < 1'000'000; ++i) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(random.integer(0, 0xffffffff)));
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(static_cast<float>(TypeParam(x)))) << "seed " << seed << " draw " << i;
    } else {
      ASSERT_EQ(TypeParam(x).bits(), nearest<TypeParam>(x)) << x << ", seed " << seed << " draw " << i;
    }
  }
}

TYPED_TEST(Scalar16, KeepsInfinitiesZerosAndNans) {
  EXPECT_EQ(static_cast<float>(TypeParam(INFINITY)), INFINITY);
  EXPECT_EQ(static_cast<float>(TypeParam(-INFINITY)), -INFINITY);
  EXPECT_EQ(TypeParam(0.0f).bits(), 0);
  EXPECT_EQ(TypeParam(-0.0f).bits(), 0x8000);
  EXPECT_EQ(static_cast<float>(TypeParam(std::numeric_limits<float>::max())), INFINITY);
  // NaNs whose payload lies in the bits that are cut off must not become infinities.
  for (const std::uint32_t bits : {0x7f800001u, 0xff800001u, 0x7fffffffu, 0x7f801fffu}) {
    EXPECT_TRUE(std::isnan(static_cast<float>(TypeParam(std::bit_cast<float>(bits))))) << bits;
  }
}

TEST(Scalar, NamesSizesAndAccumulators) {
  EXPECT_EQ(name_of(ScalarType::float64), "double");
  EXPECT_EQ(name_of(ScalarType::float32), "float");
  EXPECT_EQ(name_of(ScalarType::float16), "half");
  EXPECT_EQ(name_of(ScalarType::bfloat16), "bfloat16");
  EXPECT_EQ(bytes_of(ScalarType::float64), 8);
  EXPECT_EQ(bytes_of(scalar_type_v<half>), static_cast<int>(sizeof(half)));
  EXPECT_EQ(bytes_of(scalar_type_v<bfloat16>), static_cast<int>(sizeof(bfloat16)));
  EXPECT_EQ(accumulator_of(ScalarType::float64), ScalarType::float64);
  EXPECT_EQ(accumulator_of(ScalarType::float16), ScalarType::float32);
  static_assert(std::is_same_v<accumulator_t<half>, float> && std::is_same_v<accumulator_t<double>, double>);
  static_assert(!AttentionScalar<int>);
}

}  // namespace
}  // namespace caesura::testing
