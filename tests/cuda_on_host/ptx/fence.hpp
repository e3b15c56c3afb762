// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/mbarrier.hpp>

namespace caesura::ptx {

inline void fence_async_proxy() {
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  block.clocks().fence_async_proxy(block.thread());
}

inline void fence_mbarrier_init() { mbarriers().fence_init(); }

}  // namespace caesura::ptx
