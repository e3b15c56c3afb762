// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>

#include <cstdint>

namespace caesura::ptx {

// A barrier in eight bytes of shared memory (PTX 9.7.13.15). A phase is complete once its count of arrivals has come and
// all bytes that were expected in it have; phases have parity 0, 1, 0, ... What was done before the arrivals, and the bytes,
// are seen by those that wait for the phase.

/// `mbarrier.init`: each phase has \p arrivals arrivals. Behind it, `fence_mbarrier_init` and a barrier before others use it.
CAESURA_DEVICE void mbarrier_init(SharedAddress barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier.value), "r"(arrivals) : "memory");
}

/// `mbarrier.inval`: the bytes may be used for something else.
CAESURA_DEVICE void mbarrier_invalidate(SharedAddress barrier) {
  asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(barrier.value) : "memory");
}

/// `mbarrier.arrive`, once.
CAESURA_DEVICE void mbarrier_arrive(SharedAddress barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier.value) : "memory");
}

/// `mbarrier.arrive.expect_tx`: the phase is not complete before \p bytes more bytes have come, too.
CAESURA_DEVICE void mbarrier_arrive_expecting(SharedAddress barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier.value), "r"(bytes) : "memory");
}

/// `mbarrier.try_wait.parity` until the phase of \p parity is complete: of the phase that is not complete yet and the one
/// before it, the one with that parity. A new barrier's phase before the first counts as complete: its parity is 1.
CAESURA_DEVICE void mbarrier_wait(SharedAddress barrier, int parity) {
  std::uint32_t is_complete = 0;
  while (!is_complete) {
    asm volatile(
        "{\n"
        "  .reg .pred p;\n"
        "  mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "  selp.b32 %0, 1, 0, p;\n"
        "}"
        : "=r"(is_complete)
        : "r"(barrier.value), "r"(parity)
        : "memory");
  }
}

}  // namespace caesura::ptx
