// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace caesura::ptx {

/// How rows of 32, 64 or 128 bytes lie in shared memory, so that eight rows' pieces of 16 bytes at one column lie in eight
/// different groups of banks (PTX 5.5.7). The row's number is taken from the address itself: the pattern of \p Swizzle of
/// S bytes repeats each 8 S bytes, at multiples of that.
enum class Swizzle { none, bytes32, bytes64, bytes128 };

/// Bytes of a row of the pattern.
KOKKOS_INLINE_FUNCTION constexpr int bytes_of(Swizzle swizzle) { return 16 << static_cast<int>(swizzle); }

/// Where the byte lies that would be at \p address without the pattern: bits 4 to 6 (128 bytes), 4 and 5 (64) or 4 (32) are
/// combined with those that are three higher.
KOKKOS_INLINE_FUNCTION constexpr std::uint32_t swizzled(std::uint32_t address, Swizzle swizzle) {
  const auto mask = static_cast<std::uint32_t>(bytes_of(swizzle) - 16);
  return address ^ (address >> 3 & mask);
}

}  // namespace caesura::ptx
