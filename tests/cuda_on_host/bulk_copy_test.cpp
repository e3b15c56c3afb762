// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/bulk_copy.hpp>
#include <ptx/fence.hpp>
#include <ptx/mbarrier.hpp>

#include <array>
#include <cstdint>
#include <numeric>

using namespace caesura;
using cuda_on_host::expect_sound;

namespace {

template <std::size_t Count>
struct alignas(16) Floats {
  std::array<float, Count> value{};
};

ptx::SharedAddress barrier() { return ptx::shared_memory(); }
ptx::SharedAddress word(int i) { return ptx::shared_memory() + 16 + 4 * static_cast<std::uint32_t>(i); }

void make_barrier() {
  if (ptx::thread_index() == 0) {
    ptx::mbarrier_init(barrier(), 1);
    ptx::fence_mbarrier_init();
  }
  ptx::sync_threads();
}

}  // namespace

TEST(BulkCopy, LoadBringsItsBytesToThoseThatWait) {
  Floats<256> source;
  std::iota(source.value.begin(), source.value.end(), 1.0f);
  expect_sound(64, [&] {
    make_barrier();
    for (int round = 0; round < 4; ++round) {
      if (ptx::thread_index() == 0) {
        ptx::mbarrier_arrive_expecting(barrier(), 3 * 256);
        for (int i = 0; i < 3; ++i) {
          ptx::bulk_load(word(64 * i), source.value.data() + 64 * i + 4 * round, 256, barrier());
        }
      }
      ptx::mbarrier_wait(barrier(), round % 2);
      for (int i = 0; i < 3; ++i) {
        const int at = 64 * i + ptx::thread_index();
        EXPECT_EQ(ptx::load_shared<float>(word(at)), float(at + 4 * round + 1));
      }
      ptx::sync_threads();
    }
  });
}

TEST(BulkCopy, BytesMayBeExpectedBehindTheLoad) {
  Floats<64> source;
  source.value.fill(2.0f);
  expect_sound(32, [&] {
    make_barrier();
    if (ptx::thread_index() == 0) {
      ptx::bulk_load(word(0), source.value.data(), 256, barrier());
      ptx::mbarrier_arrive_expecting(barrier(), 256);
    }
    ptx::mbarrier_wait(barrier(), 0);
    EXPECT_EQ(ptx::load_shared<float>(word(ptx::thread_index())), 2.0f);
  });
}

TEST(BulkCopy, StoreWritesWhatThreadsWrote) {
  expect_sound(64, [&] {
    static Floats<64> target;
    if (ptx::thread_index() == 0) target.value.fill(0);
    for (int round = 0; round < 3; ++round) {
      ptx::store_shared(word(ptx::thread_index()), float(round + ptx::thread_index()));
      ptx::fence_async_proxy();
      ptx::sync_threads();
      if (ptx::thread_index() == 0) {
        ptx::bulk_store(target.value.data(), word(0), 256);
        ptx::commit_bulk();
        round < 2 ? ptx::wait_for_bulk_reads<0>() : ptx::wait_for_bulk<0>();
        for (int i = 0; i < 64; ++i) EXPECT_EQ(target.value[std::size_t(i)], float(round + i));
      }
      ptx::sync_threads();
    }
  });
}

TEST(BulkCopy, AddAddsFloats) {
  Floats<64> target;
  for (std::uint64_t seed = 1; seed < 5; ++seed) {
    target.value.fill(0.5f);
    cuda_on_host::set_seed(seed);
    cuda_on_host::launch(3, 64, 4096, [&] {
      ptx::store_shared(word(ptx::thread_index()), float(ptx::thread_index()));
      ptx::fence_async_proxy();
      ptx::sync_threads();
      if (ptx::thread_index() % 32 == 5) {  // a thread of each warp: half of the bytes
        const int first = ptx::thread_index() - 5;
        ptx::bulk_add(&target.value[std::size_t(first)], word(first), 128);
        ptx::commit_bulk();
        ptx::wait_for_bulk<0>();
      }
    });
    for (int i = 0; i < 64; ++i) EXPECT_EQ(target.value[std::size_t(i)], 0.5f + 3 * float(i));
  }
}

TEST(BulkCopy, EarlierGroupsAreWaitedFor) {
  Floats<64> target;
  expect_sound(32, [&] {
    for (int round = 0; round < 6; ++round) {
      const int half = 32 * (round % 2);
      ptx::store_shared(word(half + ptx::lane_index()), float(round));
      ptx::fence_async_proxy();
      ptx::sync_warp();
      if (ptx::lane_index() == 0) {
        ptx::bulk_store(&target.value[std::size_t(half)], word(half), 128);
        ptx::commit_bulk();
        ptx::wait_for_bulk_reads<1>();  // the other half may be written again
      }
      ptx::sync_warp();
    }
    if (ptx::lane_index() == 0) {
      ptx::wait_for_bulk<0>();
      EXPECT_EQ(target.value[0], 4.0f);
      EXPECT_EQ(target.value[63], 5.0f);
    }
  });
}
