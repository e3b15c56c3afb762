// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/shared.hpp>

#include <cstdint>

using namespace caesura;
using cuda_on_host::expect_sound;

TEST(SharedMemory, KeepsValuesOfEverySize) {
  expect_sound(32, [] {
    const ptx::SharedAddress mine = ptx::shared_memory() + 64 * static_cast<std::uint32_t>(ptx::lane_index());
    const auto lane = static_cast<std::uint32_t>(ptx::lane_index());
    ptx::store_shared(mine, lane | lane << 16);
    ptx::store_shared(mine + 4, 0.5f * static_cast<float>(lane));
    ptx::store_shared(mine + 16, ptx::Vector4{{lane, lane + 1, lane + 2, lane + 3}});
    EXPECT_EQ(ptx::load_shared<std::uint32_t>(mine), lane | lane << 16);
    EXPECT_EQ(ptx::load_shared<std::uint16_t>(mine + 2), lane);
    EXPECT_EQ(ptx::load_shared<float>(mine + 4), 0.5f * static_cast<float>(lane));
    const auto vector = ptx::load_shared<ptx::Vector4>(mine + 16);
    for (std::uint32_t i = 0; i < 4; ++i) {
      EXPECT_EQ(vector.word[i], lane + i);
      EXPECT_EQ(ptx::load_shared<std::uint32_t>(mine + 16 + 4 * i), lane + i);
    }
  });
}

TEST(SharedMemory, ReachesToItsLastByte) {
  expect_sound(
      32, [] { ptx::store_shared(ptx::shared_memory() + 4 * static_cast<std::uint32_t>(ptx::lane_index()), 1.0f); },
      32 * 4);
}

TEST(SharedMemory, AThreadNeedsNoBarrierForItself) {
  expect_sound(32, [] {
    const ptx::SharedAddress mine = ptx::shared_memory() + 4 * static_cast<std::uint32_t>(ptx::lane_index());
    for (int round = 0; round < 3; ++round) {
      ptx::store_shared(mine, float(round));
      EXPECT_EQ(ptx::load_shared<float>(mine), float(round));
    }
  });
}

TEST(SharedMemory, ManyMayReadAtOnce) {
  expect_sound(128, [] {
    if (ptx::thread_index() == 77) ptx::store_shared(ptx::shared_memory(), 2.0f);
    ptx::sync_threads();
    EXPECT_EQ(ptx::load_shared<float>(ptx::shared_memory()), 2.0f);
  });
}
