// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Bugs with mbarriers, bulk copies and setmaxnreg that the emulator must find.

#include "planted_bugs.hpp"

#include <ptx/barrier.hpp>
#include <ptx/fence.hpp>
#include <ptx/mbarrier.hpp>
#include <ptx/registers.hpp>
#include <ptx/tensor_copy.hpp>
#include <ptx/warp.hpp>

#include <array>
#include <cstdint>

using namespace caesura;
using cuda_on_host::Bug;
using cuda_on_host::expect_found;
using ptx::Swizzle;

namespace {

struct alignas(16) Floats {
  std::array<float, 1024> value{};
};
const Floats source;
Floats target;

ptx::SharedAddress full() { return ptx::shared_memory(); }
ptx::SharedAddress empty() { return ptx::shared_memory() + 8; }
ptx::SharedAddress word(int i) { return ptx::shared_memory() + 1024 + 4 * static_cast<std::uint32_t>(i); }
void write(int i) { ptx::store_shared(word(i), 1.0f); }
float read(int i) { return ptx::load_shared<float>(word(i)); }
bool is_first() { return ptx::thread_index() == 0; }

void make_barriers(int full_arrivals, int empty_arrivals) {
  if (is_first()) {
    ptx::mbarrier_init(full(), full_arrivals);
    ptx::mbarrier_init(empty(), empty_arrivals);
    ptx::fence_mbarrier_init();
  }
  ptx::sync_threads();
}

void load(int expected_bytes = 128) {
  ptx::mbarrier_arrive_expecting(full(), expected_bytes);
  ptx::bulk_load(word(0), source.value.data(), 128, full());
}

}  // namespace

TEST(PlantedMbarrierBugs, MissingBarrierBehindInit) {
  expect_found("an mbarrier that thread 0 made, without a barrier between", 64, [](Bug bug) {
    if (is_first()) {
      ptx::mbarrier_init(full(), 32);
      ptx::fence_mbarrier_init();
    }
    bug == Bug::no ? ptx::sync_threads() : ptx::sync_warp();
    if (ptx::warp_index() == 1) ptx::mbarrier_arrive(full());
  });
}

TEST(PlantedMbarrierBugs, MissingFenceBehindInit) {
  expect_found("made it without a fence.mbarrier_init", 32, [](Bug bug) {
    if (is_first()) {
      ptx::mbarrier_init(full(), 1);
      if (bug == Bug::no) ptx::fence_mbarrier_init();
      load();
    }
    ptx::sync_threads();
    ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedMbarrierBugs, UseOfWhatIsNone) {
  expect_found("is not an mbarrier", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) ptx::mbarrier_arrive(bug == Bug::no ? full() : full() + 16);
  });
  expect_found("writes over an mbarrier", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) ptx::store_shared(bug == Bug::no ? full() + 16 : full() + 4, 0.0f);
  });
}

TEST(PlantedMbarrierBugs, WrongPhase) {
  // The copy of the second round is not waited for: the first round's phase is complete already.
  expect_found("without a barrier between", 64, [](Bug bug) {
    make_barriers(1, 32);
    for (int round = 0; round < 3; ++round) {
      if (ptx::warp_index() == 0) {
        ptx::mbarrier_wait(empty(), round % 2 ^ 1);
        if (is_first()) load();
      } else {
        ptx::mbarrier_wait(full(), bug == Bug::no ? round % 2 : 0);
        read(ptx::lane_index());
        ptx::mbarrier_arrive(empty());
      }
    }
    if (bug == Bug::no) ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedMbarrierBugs, PhaseThatNeverComes) {
  expect_found("mbarrier.try_wait at shared byte 0, parity 0; mbarrier at shared byte 0, phase 0: 1 arrivals", 32,
               [](Bug bug) {
                 make_barriers(1, 1);
                 if (is_first() && bug == Bug::no) ptx::mbarrier_arrive(full());
                 ptx::mbarrier_wait(full(), 0);
               });
}

TEST(PlantedMbarrierBugs, TooFewArrivals) {
  expect_found("1 arrivals and 0 bytes missing", 32, [](Bug bug) {
    make_barriers(32, 1);
    if (bug == Bug::no || ptx::lane_index() != 3) ptx::mbarrier_arrive(full());
    ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedMbarrierBugs, TooManyArrivals) {
  // The phase waits for bytes too, so that the last arrival is one too many, and not one of the next phase.
  expect_found("more arrivals than the phase's 31", 32, [](Bug bug) {
    make_barriers(bug == Bug::no ? 33 : 31, 1);
    if (is_first()) load();
    ptx::mbarrier_arrive(full());
    ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedMbarrierBugs, TooManyBytesExpected) {
  expect_found("0 arrivals and 16 bytes missing", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) load(bug == Bug::no ? 128 : 144);
    ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedMbarrierBugs, TooFewBytesExpected) {
  expect_found("16 bytes more have come than its phase 0 expects", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) load(bug == Bug::no ? 128 : 112);
    ptx::mbarrier_wait(full(), 0);
  });
  expect_found("not been waited for", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) {
      load(bug == Bug::no ? 256 : 128);
      ptx::bulk_load(word(32), source.value.data(), 128, full());
    }
    ptx::mbarrier_wait(full(), 0);
    read(ptx::lane_index());
    read(32 + ptx::lane_index());
  });
}

TEST(PlantedBulkBugs, ReadBeforeTheWait) {
  expect_found("reads what a copy has not been waited for", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) load();
    if (bug == Bug::no) ptx::mbarrier_wait(full(), 0);
    ptx::sync_threads();
    read(ptx::lane_index());
  });
}

TEST(PlantedBulkBugs, OneThreadWaitsForAll) {
  expect_found("reads what a bulk copy wrote, without a barrier between", 64, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) load();
    if (bug == Bug::no || ptx::warp_index() == 0) ptx::mbarrier_wait(full(), 0);
    for (int i = 0; i < 8; ++i) ptx::sync_warp();
    read(ptx::lane_index());
  });
}

TEST(PlantedBulkBugs, LoadIntoWhatIsStillRead) {
  expect_found("reads, without a barrier between", 64, [](Bug bug) {
    make_barriers(1, 32);
    if (ptx::warp_index() == 0) {
      if (is_first()) {
        load();
        ptx::mbarrier_wait(full(), 0);
        if (bug == Bug::no) ptx::mbarrier_wait(empty(), 0);
        load();
      }
    } else {
      ptx::mbarrier_wait(full(), 0);
      read(ptx::lane_index());
      ptx::mbarrier_arrive(empty());
    }
    ptx::sync_warp();
    if (ptx::warp_index() == 0) ptx::mbarrier_wait(full(), 1);
  });
}

TEST(PlantedBulkBugs, LanesDoNotMeetBeforeOneArrives) {
  expect_found("reads, without a barrier between", 64, [](Bug bug) {
    make_barriers(1, 1);
    if (ptx::warp_index() == 0) {
      if (!is_first()) return;
      load();
      ptx::mbarrier_wait(empty(), 0);
      write(9);
    } else {
      ptx::mbarrier_wait(full(), 0);
      read(ptx::lane_index());
      if (bug == Bug::no) ptx::sync_warp();
      if (ptx::elect_one()) ptx::mbarrier_arrive(empty());
    }
  });
}

TEST(PlantedBulkBugs, MissingProxyFence) {
  const auto store = [](Bug bug) {
    write(ptx::thread_index());
    if (bug == Bug::no) ptx::fence_async_proxy();
    ptx::sync_threads();
    if (!is_first()) return;
    if (bug == Bug::yes) ptx::fence_async_proxy();  // that of the reader is not the writers'
    ptx::bulk_store(target.value.data(), word(0), 256);
    ptx::commit_bulk();
    ptx::wait_for_bulk_reads<0>();
  };
  expect_found("without its fence.proxy.async before the barrier between", 64, store);
  expect_found("writes over what thread 0 wrote, without its fence.proxy.async", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) write(3);
    if (bug == Bug::no) ptx::fence_async_proxy();
    ptx::sync_threads();
    if (is_first()) load();
    ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedBulkBugs, FenceBeforeTheWrite) {
  expect_found("without its fence.proxy.async before the barrier between", 32, [](Bug bug) {
    if (bug == Bug::yes) ptx::fence_async_proxy();
    write(ptx::lane_index());
    if (bug == Bug::no) ptx::fence_async_proxy();
    ptx::sync_warp();
    if (!is_first()) return;
    ptx::bulk_store(target.value.data(), word(0), 128);
    ptx::commit_bulk();
    ptx::wait_for_bulk_reads<0>();
  });
}

TEST(PlantedBulkBugs, SourceOfAStoreIsOverwritten) {
  const auto store = [](bool waits, bool meets) {
    write(ptx::thread_index());
    ptx::fence_async_proxy();
    ptx::sync_threads();
    if (is_first()) {
      ptx::bulk_store(target.value.data(), word(0), 256);
      ptx::commit_bulk();
      waits ? ptx::wait_for_bulk_reads<0>() : ptx::wait_for_bulk_reads<1>();
    }
    if (meets) ptx::sync_threads();
    write(ptx::thread_index());
    if (is_first()) ptx::wait_for_bulk_reads<0>();
  };
  expect_found("writes over what a bulk copy or wgmma reads that was not waited for", 64,
               [&](Bug bug) { store(bug == Bug::no, true); });
  expect_found("reads", 64, [&](Bug bug) { store(true, bug == Bug::no); });
}

TEST(PlantedBulkBugs, BlockEndsTooEarly) {
  expect_found("ended without a wait for its bulk copies", 32, [](Bug bug) {
    write(ptx::lane_index());
    ptx::fence_async_proxy();
    ptx::sync_warp();
    if (!is_first()) return;
    ptx::bulk_store(target.value.data(), word(0), 128);
    ptx::commit_bulk();
    if (bug == Bug::no) ptx::wait_for_bulk_reads<0>();
  });
  expect_found("the block ends", 32, [](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) load();
    if (bug == Bug::no) ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedBulkBugs, OutOfBounds) {
  const auto map = ptx::make_tensor_map<float, 2>(source.value.data(), {32, 32}, {128}, {32, 8}, Swizzle::bytes128);
  const auto load_box = [&](std::uint32_t to) {
    make_barriers(1, 1);
    if (is_first()) {
      ptx::mbarrier_arrive_expecting(full(), 1024);
      ptx::tensor_load(ptx::shared_memory() + to, map, full(), 0, 0);
    }
    ptx::mbarrier_wait(full(), 0);
  };
  expect_found("shared byte 4096: out of bounds", 32, [&](Bug bug) { load_box(bug == Bug::no ? 3072 : 4096); });
  expect_found("shared byte 1536: must be a multiple of 1024", 32,
               [&](Bug bug) { load_box(bug == Bug::no ? 1024 : 1536); });
  expect_found("writes over an mbarrier", 32, [&](Bug bug) { load_box(bug == Bug::no ? 1024 : 0); });
  expect_found("bytes = 100: must be a multiple of 16", 32, [&](Bug bug) {
    make_barriers(1, 1);
    if (is_first()) {
      ptx::mbarrier_arrive_expecting(full(), 112);
      ptx::bulk_load(word(0), source.value.data(), bug == Bug::no ? 112 : 100, full());
    }
    ptx::mbarrier_wait(full(), 0);
  });
}

TEST(PlantedBulkBugs, WrongSwizzle) {
  // Entry 8 of row 1 is read where another pattern has it.
  static Floats numbers;
  for (std::size_t i = 0; i < numbers.value.size(); ++i) numbers.value[i] = float(i);
  const auto map = ptx::make_tensor_map<float, 2>(numbers.value.data(), {32, 32}, {128}, {32, 8}, Swizzle::bytes128);
  for (const Swizzle swizzle : {Swizzle::bytes128, Swizzle::bytes64, Swizzle::bytes32, Swizzle::none}) {
    cuda_on_host::launch(1, 32, 4096, [&] {
      make_barriers(1, 1);
      if (is_first()) {
        ptx::mbarrier_arrive_expecting(full(), 1024);
        ptx::tensor_load(ptx::shared_memory() + 1024, map, full(), 0, 0);
      }
      ptx::mbarrier_wait(full(), 0);
      const std::uint32_t linear = (ptx::shared_memory() + 1024 + 4 * (5 * 32 + 8)).value;
      const float got = ptx::load_shared<float>({ptx::swizzled(linear, swizzle)});
      EXPECT_EQ(got == 5 * 32 + 8, swizzle == Swizzle::bytes128);
    });
  }
}

TEST(PlantedRegisterBugs, WarpsOfAWarpgroupDiffer) {
  expect_found("of its warpgroup said", 256, [](Bug bug) {
    if (bug == Bug::yes && ptx::warp_index() == 2) {
      ptx::shrink_registers<40>();
    } else if (ptx::warp_index() < 4) {
      ptx::shrink_registers<24>();
    }
  });
  expect_found("setmaxnreg: warp 3 said it 0 times", 256, [](Bug bug) {
    if (ptx::warp_index() < (bug == Bug::no ? 4 : 3)) ptx::shrink_registers<24>();
  });
}

TEST(PlantedRegisterBugs, MoreThanThereAre) {
  expect_found("no thread can go on", 384, [](Bug bug) {
    if (ptx::warp_index() < 4) {
      ptx::shrink_registers<40>();
    } else {
      bug == Bug::no ? ptx::grow_registers<232>() : ptx::grow_registers<240>();
    }
  });
}
