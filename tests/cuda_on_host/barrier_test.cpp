// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/shared.hpp>

#include <cstdint>

using namespace caesura;
using cuda_on_host::expect_sound;

namespace {

ptx::SharedAddress word(int i) { return ptx::shared_memory() + 4 * static_cast<std::uint32_t>(i); }

}  // namespace

TEST(Barrier, AllThreadsSeeWhatAllWrote) {
  expect_sound(128, [] {
    for (int round = 0; round < 5; ++round) {
      ptx::store_shared(word(ptx::thread_index()), static_cast<std::uint32_t>(round + ptx::thread_index()));
      ptx::sync_threads();
      const int other = (ptx::thread_index() + 37) % 128;
      EXPECT_EQ(ptx::load_shared<std::uint32_t>(word(other)), static_cast<std::uint32_t>(round + other));
      ptx::sync_threads();
    }
  });
}

TEST(Barrier, OrTellsWhetherAnyThreadSaidSo) {
  expect_sound(96, [] {
    for (int thread = 0; thread < 96; thread += 19) EXPECT_TRUE(ptx::sync_threads_or(ptx::thread_index() == thread));
    EXPECT_FALSE(ptx::sync_threads_or(false));
    EXPECT_TRUE(ptx::sync_threads_or(true));
  });
}

TEST(Barrier, NamedBarriersJoinSomeWarps) {
  expect_sound(128, [] {
    const int pair = ptx::warp_index() / 2;
    for (int round = 0; round < 5; ++round) {
      ptx::store_shared(word(ptx::thread_index()), float(round));
      ptx::named_barrier_sync(1 + pair, 64);
      EXPECT_EQ(ptx::load_shared<float>(word(ptx::thread_index() ^ 32)), float(round));
      ptx::named_barrier_sync(1 + pair, 64);
    }
  });
}

TEST(Barrier, OneSideMayArriveWithoutWaiting) {
  constexpr int full = 1, empty = 2;
  expect_sound(64, [] {
    for (int round = 0; round < 10; ++round) {
      if (ptx::warp_index() == 0) {
        ptx::named_barrier_sync(empty, 64);
        ptx::store_shared(word(ptx::lane_index()), float(round));
        ptx::named_barrier_arrive(full, 64);
      } else {
        ptx::named_barrier_arrive(empty, 64);
        ptx::named_barrier_sync(full, 64);
        EXPECT_EQ(ptx::load_shared<float>(word(31 - ptx::lane_index())), float(round));
      }
    }
  });
}

TEST(Barrier, LanesOfAWarpSeeWhatTheyWrote) {
  expect_sound(64, [] {
    for (int round = 0; round < 5; ++round) {
      ptx::store_shared(word(ptx::thread_index()), float(round));
      ptx::sync_warp();
      EXPECT_EQ(ptx::load_shared<float>(word(ptx::thread_index() ^ 21)), float(round));
      ptx::sync_warp();
    }
  });
}

TEST(Barrier, OtherWarpsNeedNotEnd) {
  expect_sound(64, [] {
    if (ptx::warp_index() == 0) ptx::named_barrier_sync(3, 32);
  });
}
