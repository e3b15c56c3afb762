// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/registers.hpp>

using namespace caesura;
using cuda_on_host::expect_sound;

TEST(Registers, ConsumersWaitForWhatTheProducerGivesBack) {
  expect_sound(384, [] {
    if (ptx::warp_index() < 4) {
      ptx::shrink_registers<24>();
    } else {
      ptx::grow_registers<240>();
    }
    ptx::sync_threads();
  });
}
