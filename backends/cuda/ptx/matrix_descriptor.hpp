// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>
#include <ptx/swizzle.hpp>

#include <cstdint>

namespace caesura::ptx {

/// Which index of a matrix of 16-bit values is contiguous: that of the sum (k), or that of the rows of A, columns of B.
enum class Major { k, mn };

/// A wgmma operand in shared memory (PTX 9.7.15.5.1.2.2). 16-byte pieces are addressed; with S bytes of swizzle a piece
/// (i, j) is, in bytes from the start, before the swizzle:
///   k-major, row i of A or column i of B, j = k / 8:
///     none:   i % 8 * 16 + i / 8 * stride + j * leading
///     S:      i % 8 * S + i / 8 * stride + j * 16
///   mn-major, i = row / 8 or column / 8, j = k:
///     none:   i * stride + j % 8 * 16 + j / 8 * leading
///     S:      i % (S / 16) * 16 + i / (S / 16) * leading + j % 8 * S + j / 8 * stride
/// The swizzle's pattern begins at a multiple of its size; the start may be inside its first row.
struct MatrixDescriptor {
  std::uint64_t bits = 0;

  /// The matrix \p bytes, a multiple of 16, further.
  KOKKOS_INLINE_FUNCTION friend constexpr MatrixDescriptor operator+(MatrixDescriptor matrix, int bytes) {
    return {matrix.bits + static_cast<std::uint64_t>(bytes >> 4)};
  }
};

KOKKOS_INLINE_FUNCTION MatrixDescriptor matrix_descriptor(SharedAddress start, int leading_bytes, int stride_bytes,
                                                          Swizzle swizzle) {
  const auto field = [](std::uint32_t bytes) { return static_cast<std::uint64_t>((bytes & 0x3ffffu) >> 4); };
  const auto mode = static_cast<std::uint64_t>(4 - static_cast<int>(swizzle)) % 4;  // 1: 128 bytes, 2: 64, 3: 32
  return {field(start.value) | field(static_cast<std::uint32_t>(leading_bytes)) << 16 |
          field(static_cast<std::uint32_t>(stride_bytes)) << 32 | mode << 62};
}

}  // namespace caesura::ptx
