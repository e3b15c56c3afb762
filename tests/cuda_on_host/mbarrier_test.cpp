// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/fence.hpp>
#include <ptx/mbarrier.hpp>
#include <ptx/warp.hpp>

#include <cstdint>

using namespace caesura;
using cuda_on_host::expect_sound;

namespace {

ptx::SharedAddress barrier_at(int i) { return ptx::shared_memory() + 8 * static_cast<std::uint32_t>(i); }
ptx::SharedAddress word(int i) { return ptx::shared_memory() + 256 + 4 * static_cast<std::uint32_t>(i); }

void make_barriers(int count, int arrivals) {
  if (ptx::thread_index() == 0) {
    for (int i = 0; i < count; ++i) ptx::mbarrier_init(barrier_at(i), arrivals);
    ptx::fence_mbarrier_init();
  }
  ptx::sync_threads();
}

}  // namespace

TEST(Mbarrier, ThePhaseBeforeTheFirstIsComplete) {
  expect_sound(32, [] {
    make_barriers(1, 32);
    ptx::mbarrier_wait(barrier_at(0), 1);
  });
}

TEST(Mbarrier, WaitersSeeWhatWasWrittenBeforeTheArrivals) {
  expect_sound(96, [] {
    make_barriers(1, 96);
    for (int round = 0; round < 6; ++round) {
      ptx::store_shared(word(96 * round + ptx::thread_index()), float(round));
      ptx::mbarrier_arrive(barrier_at(0));
      ptx::mbarrier_wait(barrier_at(0), round % 2);
      EXPECT_EQ(ptx::load_shared<float>(word(96 * round + (ptx::thread_index() + 50) % 96)), float(round));
    }
  });
}

TEST(Mbarrier, ProducerAndConsumersTakeTurns) {
  constexpr int full = 0, empty = 1, rounds = 9;
  expect_sound(96, [] {
    make_barriers(2, 32);
    for (int round = 0; round < rounds; ++round) {
      if (ptx::warp_index() == 0) {
        if (round > 0) ptx::mbarrier_wait(barrier_at(empty), (round - 1) % 2);
        ptx::store_shared(word(ptx::lane_index()), float(round));
        ptx::mbarrier_arrive(barrier_at(full));
      } else if (ptx::warp_index() == 1) {
        ptx::mbarrier_wait(barrier_at(full), round % 2);
        EXPECT_EQ(ptx::load_shared<float>(word(31 - ptx::lane_index())), float(round));
        ptx::mbarrier_arrive(barrier_at(empty));
      }
    }
  });
}

TEST(Mbarrier, StagesOfARingRunAhead) {
  constexpr int stages = 3, rounds = 20;
  expect_sound(64, [] {
    make_barriers(2 * stages, 1);
    for (int round = 0; round < rounds; ++round) {
      const int stage = round % stages, turn = round / stages % 2;
      if (ptx::warp_index() == 0) {
        if (ptx::lane_index() == 0) {
          ptx::mbarrier_wait(barrier_at(stages + stage), turn ^ 1);  // the first turn waits for nothing
          ptx::store_shared(word(stage), float(round));
          ptx::mbarrier_arrive(barrier_at(stage));
        }
      } else {
        ptx::mbarrier_wait(barrier_at(stage), turn);
        EXPECT_EQ(ptx::load_shared<float>(word(stage)), float(round));
        ptx::sync_warp();
        if (ptx::elect_one()) ptx::mbarrier_arrive(barrier_at(stages + stage));
      }
    }
  });
}

TEST(Mbarrier, BytesMayBeUsedAgainBehindInvalidate) {
  expect_sound(32, [] {
    if (ptx::thread_index() != 0) return;
    ptx::mbarrier_init(barrier_at(0), 1);
    ptx::mbarrier_arrive(barrier_at(0));
    ptx::mbarrier_wait(barrier_at(0), 0);
    ptx::mbarrier_invalidate(barrier_at(0));
    ptx::store_shared(barrier_at(0), 1.0f);
    EXPECT_EQ(ptx::load_shared<float>(barrier_at(0)), 1.0f);
  });
}

TEST(Mbarrier, OneLaneIsElected) {
  expect_sound(64, [] {
    const bool mine = ptx::elect_one();
    int elected = mine ? 1 : 0;
    for (int mask = 1; mask < 32; mask *= 2) elected += ptx::shuffle_xor(elected, mask);
    EXPECT_EQ(elected, 1);
    EXPECT_EQ(ptx::elect_one(), mine);
  });
}
