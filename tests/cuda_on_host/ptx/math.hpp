// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <ptx/thread.hpp>

#include <cmath>
#include <cstdint>

namespace caesura::ptx {

inline float exp2_approximate(float x) { return std::exp2(x); }

template <class Scalar>
inline std::uint32_t pack(float low, float high) {
  return std::uint32_t{Scalar(low).bits()} | std::uint32_t{Scalar(high).bits()} << 16;
}

}  // namespace caesura::ptx
