// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <ptx/thread.hpp>

#include <cstdint>
#include <type_traits>

namespace caesura::ptx {

/// `ex2.approx.ftz.f32` (PTX 9.7.3.20): 2^x, relative error 2^-22; 2^-inf = 0.
CAESURA_DEVICE float exp2_approximate(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

/// `cvt.rn.f16x2.f32`, `cvt.rn.bf16x2.f32` (PTX 9.7.9.21): both values to nearest even, \p low in the lower half.
template <class Scalar>
CAESURA_DEVICE std::uint32_t pack(float low, float high) {
  std::uint32_t result;
  if constexpr (std::is_same_v<Scalar, half>) {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  } else {
    static_assert(std::is_same_v<Scalar, bfloat16>);
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  }
  return result;
}

}  // namespace caesura::ptx
