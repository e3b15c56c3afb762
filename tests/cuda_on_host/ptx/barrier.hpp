// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

inline void sync_threads() {
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  block.barrier(cuda_on_host::Block::Meet::sync, 0, block.threads());
}

inline bool sync_threads_or(bool value) {
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  return block.barrier(cuda_on_host::Block::Meet::any, 0, block.threads(), value);
}

inline void sync_warp() { cuda_on_host::Block::current().sync_warp(); }

inline void named_barrier_sync(int id, int threads) {
  cuda_on_host::Block::current().barrier(cuda_on_host::Block::Meet::sync, id, threads);
}

inline void named_barrier_arrive(int id, int threads) {
  cuda_on_host::Block::current().barrier(cuda_on_host::Block::Meet::arrive, id, threads);
}

}  // namespace caesura::ptx
