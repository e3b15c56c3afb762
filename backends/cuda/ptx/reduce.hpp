// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

/// `red.global.add.f32` (PTX 9.7.13.8): adds to global memory at once, in whatever order blocks come.
CAESURA_DEVICE void reduce_add(float* to, float value) {
  asm volatile("red.global.add.f32 [%0], %1;" ::"l"(__cvta_generic_to_global(to)), "f"(value) : "memory");
}

}  // namespace caesura::ptx
