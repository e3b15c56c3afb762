// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

// Exchanges between the 32 lanes of a warp (PTX 9.7.9.6, 9.7.13.9). All lanes take part. No order of memory accesses follows.

/// The value of lane `lane ^ mask`.
template <class Value>
CAESURA_DEVICE Value shuffle_xor(Value value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

/// The value of lane \p from.
template <class Value>
CAESURA_DEVICE Value shuffle(Value value, int from) {
  return __shfl_sync(0xffffffffu, value, from);
}

CAESURA_DEVICE bool any(bool value) { return __any_sync(0xffffffffu, value); }

/// `elect.sync` (PTX 9.7.13.14): true in one lane, always the same one. From sm_90 on.
CAESURA_DEVICE bool elect_one() {
  int is_elected;
  asm volatile(
      "{\n"
      "  .reg .pred p;\n"
      "  elect.sync _|p, 0xffffffff;\n"
      "  selp.b32 %0, 1, 0, p;\n"
      "}"
      : "=r"(is_elected));
  return is_elected != 0;
}

}  // namespace caesura::ptx
