// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/cp_async.hpp>

#include <array>
#include <cstdint>
#include <numeric>

using namespace caesura;
using cuda_on_host::expect_sound;

namespace {

struct alignas(16) Source {
  std::array<float, 1024> value;
  Source() { std::iota(value.begin(), value.end(), 1.0f); }
};
const Source source;

ptx::SharedAddress sixteen_bytes(int i) { return ptx::shared_memory() + 16 * static_cast<std::uint32_t>(i); }

void copy(int to, int from, bool exists = true) {
  ptx::copy_async(sixteen_bytes(to), source.value.data() + std::ptrdiff_t{4} * from, exists);
}

float value_at(int i) { return ptx::load_shared<float>(ptx::shared_memory() + 4 * static_cast<std::uint32_t>(i)); }

}  // namespace

TEST(CpAsync, BringsWhatWasWaitedFor) {
  expect_sound(64, [] {
    copy(ptx::thread_index(), ptx::thread_index());
    ptx::commit_copies();
    ptx::wait_for_copies<0>();
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(value_at(4 * ptx::thread_index() + i), float(4 * ptx::thread_index() + i + 1));
    ptx::sync_threads();
    const int other = 255 - ptx::thread_index();
    EXPECT_EQ(value_at(other), float(other + 1));
  });
}

TEST(CpAsync, WritesZerosForWhatDoesNotExist) {
  expect_sound(32, [] {
    ptx::copy_async(sixteen_bytes(ptx::lane_index()), nullptr, false);
    ptx::commit_copies();
    ptx::wait_for_copies<0>();
    EXPECT_EQ(ptx::load_shared<std::uint32_t>(sixteen_bytes(ptx::lane_index())), 0u);
  });
}

TEST(CpAsync, LaterGroupsMayBePending) {
  expect_sound(32, [] {
    constexpr int stages = 3, rounds = 9;
    const int lane = ptx::lane_index();
    for (int i = 0; i < stages - 1; ++i) {
      copy(32 * i + lane, 7 * i + lane);
      ptx::commit_copies();
    }
    for (int i = 0; i < rounds; ++i) {
      ptx::wait_for_copies<stages - 2>();
      ptx::sync_warp();
      const int other = 31 - lane;
      EXPECT_EQ(value_at(4 * (32 * (i % stages) + other)), float(4 * (7 * i + other) + 1)) << "round " << i;
      const int next = i + stages - 1;
      if (next < rounds) copy(32 * (next % stages) + lane, 7 * next + lane);
      ptx::commit_copies();  // empty groups count too
      ptx::sync_warp();
    }
  });
}
