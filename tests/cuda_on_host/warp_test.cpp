// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/warp.hpp>

#include <array>

using namespace caesura;
using cuda_on_host::expect_sound;

TEST(Warp, KnowsWhoAThreadIs) {
  std::array<int, 96> seen{};
  cuda_on_host::launch(3, 96, 0, [&] {
    ++seen[static_cast<std::size_t>(ptx::thread_index())];
    EXPECT_EQ(ptx::lane_index(), ptx::thread_index() % 32);
    EXPECT_EQ(ptx::warp_index(), ptx::thread_index() / 32);
    EXPECT_LT(ptx::block_index(), 3);
  });
  for (const int count : seen) EXPECT_EQ(count, 3);
}

TEST(Warp, ShuffleGivesTheValueOfTheLane) {
  expect_sound(64, [] {
    for (int from = 0; from < 32; ++from) {
      EXPECT_EQ(ptx::shuffle(100 * ptx::thread_index(), from), 100 * (32 * ptx::warp_index() + from));
    }
    EXPECT_EQ(ptx::shuffle(float(ptx::lane_index()), (ptx::lane_index() + 5) % 32), (ptx::lane_index() + 5) % 32);
  });
}

TEST(Warp, ShuffleXorExchanges) {
  expect_sound(64, [] {
    for (int mask = 0; mask < 32; ++mask) {
      EXPECT_EQ(ptx::shuffle_xor(ptx::thread_index(), mask), 32 * ptx::warp_index() + (ptx::lane_index() ^ mask));
    }
  });
}

TEST(Warp, AnyIsTrueIfOneLaneIs) {
  expect_sound(64, [] {
    for (int lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(ptx::any(ptx::thread_index() == lane), ptx::warp_index() == 0);
    }
    EXPECT_FALSE(ptx::any(false));
  });
}

TEST(Warp, LanesMayTakeDifferentWaysBetweenCollectives) {
  expect_sound(32, [] {
    int sum = 0;
    for (int i = 0; i < ptx::lane_index(); ++i) sum += i;
    EXPECT_EQ(ptx::shuffle(sum, 4), 6);
  });
}
