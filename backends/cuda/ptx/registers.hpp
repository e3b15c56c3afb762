// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

// How many registers a thread has (PTX 9.7.19.5 `setmaxnreg`), a multiple of 8 from 24 to 256: all warps of a warpgroup say
// the same, in a kernel whose launch bounds fix what all have at first.

/// Gives the others back.
template <int Registers>
CAESURA_DEVICE void shrink_registers() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

/// Waits until so many are free.
template <int Registers>
CAESURA_DEVICE void grow_registers() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}

}  // namespace caesura::ptx
