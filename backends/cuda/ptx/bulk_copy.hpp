// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>

#include <cstdint>

namespace caesura::ptx {

// Copies of many bytes that one thread starts (PTX 9.7.9.25.5). Addresses and sizes are multiples of 16. What threads wrote
// into shared memory is seen by them behind `fence_async_proxy` and a barrier.

/// `cp.async.bulk`, global to shared memory; \p barrier's phase gets \p bytes bytes, and those that wait for it see them.
CAESURA_DEVICE void bulk_load(SharedAddress to, const void* from, int bytes, SharedAddress barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to.value),
      "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(barrier.value)
      : "memory");
}

/// `cp.async.bulk`, shared to global memory, in this thread's bulk group.
CAESURA_DEVICE void bulk_store(void* to, SharedAddress from, int bytes) {
  asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(to)),
               "r"(from.value), "r"(bytes)
               : "memory");
}

/// `cp.reduce.async.bulk.add.f32`: adds floats of shared to those of global memory, each atomically, in this thread's bulk
/// group.
CAESURA_DEVICE void bulk_add(float* to, SharedAddress from, int bytes) {
  asm volatile(
      "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;" ::"l"(__cvta_generic_to_global(to)),
      "r"(from.value), "r"(bytes)
      : "memory");
}

/// `cp.async.bulk.commit_group`: this thread's stores and additions since the last one are a group.
CAESURA_DEVICE void commit_bulk() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

/// `cp.async.bulk.wait_group.read`: all but this thread's latest \p Pending groups have read shared memory, which may be
/// overwritten. A block must not end before.
template <int Pending>
CAESURA_DEVICE void wait_for_bulk_reads() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
}

/// `cp.async.bulk.wait_group`: and have written global memory, as this thread sees it.
template <int Pending>
CAESURA_DEVICE void wait_for_bulk() {
  asm volatile("cp.async.bulk.wait_group %0;" ::"n"(Pending) : "memory");
}

}  // namespace caesura::ptx
