// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>

namespace caesura::ptx {

/// `cp.async.cg` of 16 bytes (PTX 9.7.9.25.3): from global to shared memory, past the first cache, or zeros if not
/// \p exists (\p from is not read then). Both addresses are multiples of 16.
CAESURA_DEVICE void copy_async(SharedAddress to, const void* from, bool exists) {
  const int bytes = exists ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to.value), "l"(__cvta_generic_to_global(from)),
               "r"(bytes)
               : "memory");
}

/// `cp.async.commit_group`: this thread's copies since the last one are a group.
CAESURA_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// `cp.async.wait_group`: all but this thread's latest \p Pending groups have arrived, visible to this thread; to others
/// behind a barrier.
template <int Pending>
CAESURA_DEVICE void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

}  // namespace caesura::ptx
