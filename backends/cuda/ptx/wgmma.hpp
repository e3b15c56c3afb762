// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <ptx/matrix_descriptor.hpp>
#include <ptx/wgmma_shapes.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace caesura::ptx {

// Matrix products of a warpgroup, four warps whose first is a multiple of four (PTX 9.7.15), which go on while threads do
// something else:
//   wgmma_fence(d, a);            what the threads wrote to these registers is there
//   wgmma<Scalar, ...>(d, ...);   any number, in order
//   wgmma_commit();
//   wgmma_wait<0>(d);             d is there; before, nobody may touch the registers or the operands in shared memory

namespace impl {

/// Keeps the compiler from moving what it does with the registers across this place.
CAESURA_DEVICE void pin(float& value) { asm volatile("" : "+f"(value)::"memory"); }
CAESURA_DEVICE void pin(std::uint32_t& value) { asm volatile("" : "+r"(value)::"memory"); }
template <class Value, std::size_t Count>
CAESURA_DEVICE void pin(Value (&values)[Count]) {
#pragma unroll
  for (std::size_t i = 0; i < Count; ++i) pin(values[i]);
}

}  // namespace impl

/// `wgmma.fence` (PTX 9.7.15.7.1): before the first product that uses \p registers, arrays of accumulators and of A's
/// fragments, since a thread wrote them or waited.
template <class... Registers>
CAESURA_DEVICE void wgmma_fence(Registers&... registers) {
  (impl::pin(registers), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/// `wgmma.commit_group`: the products since the last one are a group.
CAESURA_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/// `wgmma.wait_group`: all but the latest \p Pending groups are done; \p accumulators are all those that are there now.
template <int Pending, class... Accumulators>
CAESURA_DEVICE void wgmma_wait(Accumulators&... accumulators) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
  (impl::pin(accumulators), ...);
}

/// `wgmma.mma_async.m64nNk16`, both operands in shared memory: d (64 x N, float) = a (64 x 16) b (16 x N), plus d if
/// \p accumulate. With warp w of the warpgroup, g = lane / 4, t = lane % 4:
///   d[i]: row 16 w + g + 8 (i / 2 % 2), column 8 (i / 4) + 2 t + i % 2
template <class Scalar, int N, Major MajorA, Major MajorB>
CAESURA_DEVICE void wgmma(float (&d)[N / 2], MatrixDescriptor a, MatrixDescriptor b, bool accumulate) {
  static_assert(std::is_same_v<Scalar, half> || std::is_same_v<Scalar, bfloat16>);
#define CAESURA_WGMMA(type, n, text, registers, p0, p1, p2, p3, p4, p5, p6)                                    \
  if constexpr (N == n) {                                                                                      \
    asm volatile("{\n  .reg .pred p;\n  setp.ne.b32 p, " p2 ", 0;\n  wgmma.mma_async.sync.aligned.m64n" #n     \
                 "k16.f32." type "." type " {" text "}, " p0 ", " p1 ", p, 1, 1, " p3 ", " p4 ";\n}"           \
                 : registers                                                                                   \
                 : "l"(a.bits), "l"(b.bits), "r"(static_cast<int>(accumulate)), "n"(static_cast<int>(MajorA)), \
                   "n"(static_cast<int>(MajorB)));                                                             \
  }
  if constexpr (std::is_same_v<Scalar, half>) {
    CAESURA_WGMMA_SHAPES(CAESURA_WGMMA, "f16")
  } else {
    CAESURA_WGMMA_SHAPES(CAESURA_WGMMA, "bf16")
  }
#undef CAESURA_WGMMA
}

/// The same with a in registers: warp w has rows 16 w to 16 w + 15 of it, as `mma_m16n8k16` has its a. They too must stay as
/// they are until the wait.
template <class Scalar, int N, Major MajorB>
CAESURA_DEVICE void wgmma(float (&d)[N / 2], const std::uint32_t (&a)[4], MatrixDescriptor b, bool accumulate) {
  static_assert(std::is_same_v<Scalar, half> || std::is_same_v<Scalar, bfloat16>);
#define CAESURA_WGMMA(type, n, text, registers, p0, p1, p2, p3, p4, p5, p6)                                            \
  if constexpr (N == n) {                                                                                              \
    asm volatile("{\n  .reg .pred p;\n  setp.ne.b32 p, " p5 ", 0;\n  wgmma.mma_async.sync.aligned.m64n" #n             \
                 "k16.f32." type "." type " {" text "}, {" p0 ", " p1 ", " p2 ", " p3 "}, " p4 ", p, 1, 1, " p6 ";\n}" \
                 : registers                                                                                           \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.bits), "r"(static_cast<int>(accumulate)),         \
                   "n"(static_cast<int>(MajorB)));                                                                     \
  }
  if constexpr (std::is_same_v<Scalar, half>) {
    CAESURA_WGMMA_SHAPES(CAESURA_WGMMA, "f16")
  } else {
    CAESURA_WGMMA_SHAPES(CAESURA_WGMMA, "bf16")
  }
#undef CAESURA_WGMMA
}

}  // namespace caesura::ptx
