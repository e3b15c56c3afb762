// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

/// `bar.sync 0` (PTX 9.7.13.1): all threads of the block; what they wrote before is seen behind it.
CAESURA_DEVICE void sync_threads() { __syncthreads(); }

/// The same, and whether \p value was true in any thread (`bar.red.or.pred`).
CAESURA_DEVICE bool sync_threads_or(bool value) { return __syncthreads_or(value); }

/// `bar.warp.sync` of all lanes (PTX 9.7.13.2), which orders their memory accesses too.
CAESURA_DEVICE void sync_warp() { __syncwarp(); }

/// `bar.sync id, threads`: waits until \p threads threads, whole warps, are at barrier \p id, 1 to 15.
CAESURA_DEVICE void named_barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// `bar.arrive id, threads`: counts without waiting.
CAESURA_DEVICE void named_barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

}  // namespace caesura::ptx
