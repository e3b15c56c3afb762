// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

#include <cstdint>

namespace caesura::ptx {

/// A place in the block's dynamic shared memory. No pointer: it is read and written by the functions of this layer alone,
/// so that the emulator sees every access.
struct SharedAddress {
  std::uint32_t value = 0;  ///< in the shared window (PTX 5.1.6)

  CAESURA_DEVICE friend SharedAddress operator+(SharedAddress address, std::uint32_t bytes) {
    return {address.value + bytes};
  }
};

/// 16 bytes.
struct alignas(16) Vector4 {
  std::uint32_t word[4];
};

/// Where the block's dynamic shared memory begins, aligned to 1024 bytes: the pattern of the largest swizzle.
CAESURA_DEVICE SharedAddress shared_memory() {
  extern __shared__ __align__(1024) unsigned char caesura_shared_memory[];
  return {static_cast<std::uint32_t>(__cvta_generic_to_shared(caesura_shared_memory))};
}

/// `ld.shared` (PTX 9.7.9.8) of a float, a 32-bit word or 16 bytes; the address is a multiple of the size.
template <class Value>
CAESURA_DEVICE Value load_shared(SharedAddress from);
template <>
CAESURA_DEVICE std::uint32_t load_shared(SharedAddress from) {
  std::uint32_t value;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(from.value) : "memory");
  return value;
}
template <>
CAESURA_DEVICE float load_shared(SharedAddress from) {
  float value;
  asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(from.value) : "memory");
  return value;
}
template <>
CAESURA_DEVICE std::uint16_t load_shared(SharedAddress from) {
  std::uint16_t value;
  asm volatile("ld.shared.b16 %0, [%1];" : "=h"(value) : "r"(from.value) : "memory");
  return value;
}
template <>
CAESURA_DEVICE Vector4 load_shared(SharedAddress from) {
  Vector4 value;
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.word[0]), "=r"(value.word[1]), "=r"(value.word[2]), "=r"(value.word[3])
               : "r"(from.value)
               : "memory");
  return value;
}

/// `st.shared` (PTX 9.7.9.11).
CAESURA_DEVICE void store_shared(SharedAddress to, std::uint32_t value) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(to.value), "r"(value) : "memory");
}
CAESURA_DEVICE void store_shared(SharedAddress to, float value) {
  asm volatile("st.shared.f32 [%0], %1;" ::"r"(to.value), "f"(value) : "memory");
}
CAESURA_DEVICE void store_shared(SharedAddress to, const Vector4& value) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to.value), "r"(value.word[0]), "r"(value.word[1]),
               "r"(value.word[2]), "r"(value.word[3])
               : "memory");
}

}  // namespace caesura::ptx
