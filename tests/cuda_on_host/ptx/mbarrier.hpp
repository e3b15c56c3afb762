// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/mbarriers.hpp"

#include <ptx/shared.hpp>

namespace caesura::ptx {

inline cuda_on_host::Mbarriers& mbarriers() {
  return cuda_on_host::Block::current().hardware<cuda_on_host::Mbarriers>();
}

inline void mbarrier_init(SharedAddress barrier, int arrivals) { mbarriers().init(barrier.value, arrivals); }
inline void mbarrier_invalidate(SharedAddress barrier) { mbarriers().invalidate(barrier.value); }
inline void mbarrier_arrive(SharedAddress barrier) { mbarriers().arrive(barrier.value, 0, "mbarrier.arrive"); }
inline void mbarrier_arrive_expecting(SharedAddress barrier, int bytes) {
  mbarriers().arrive(barrier.value, bytes, "mbarrier.arrive.expect_tx");
}
inline void mbarrier_wait(SharedAddress barrier, int parity) { mbarriers().wait(barrier.value, parity); }

}  // namespace caesura::ptx
