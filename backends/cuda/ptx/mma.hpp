// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <ptx/thread.hpp>

#include <cstdint>
#include <type_traits>

namespace caesura::ptx {

/// `mma.m16n8k16` (PTX 9.7.14.5.8): d (16 x 8, float) += a (16 x 16) b (16 x 8). With g = lane / 4, t = lane % 4, two
/// 16-bit values a word, the lower first:
///   a[0]: row g, columns 2t, 2t + 1    a[1]: row g + 8    a[2]: row g, columns 2t + 8, 2t + 9    a[3]: row g + 8, the same
///   b[0]: rows 2t, 2t + 1, column g    b[1]: rows 2t + 8, 2t + 9
///   d[0], d[1]: row g, columns 2t, 2t + 1    d[2], d[3]: row g + 8
template <class Scalar>
CAESURA_DEVICE void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  if constexpr (std::is_same_v<Scalar, half>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
        "%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    static_assert(std::is_same_v<Scalar, bfloat16>);
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, "
        "%2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
}

}  // namespace caesura::ptx
