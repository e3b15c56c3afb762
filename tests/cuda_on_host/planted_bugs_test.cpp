// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Kernels with one bug each, which the emulator must find, beside the same kernels without it, which must run.

#include "planted_bugs.hpp"

#include <ptx/barrier.hpp>
#include <ptx/cp_async.hpp>
#include <ptx/ldmatrix.hpp>
#include <ptx/mma.hpp>
#include <ptx/warp.hpp>

#include <array>
#include <cstdint>

using namespace caesura;
using cuda_on_host::Bug;
using cuda_on_host::expect_found;

namespace {

struct alignas(16) Source {
  std::array<float, 1024> value{};
};
const Source source;

ptx::SharedAddress word(int i) { return ptx::shared_memory() + 4 * static_cast<std::uint32_t>(i); }
void write(int i) { ptx::store_shared(word(i), 1.0f); }
float read(int i) { return ptx::load_shared<float>(word(i)); }
void copy(int to) { ptx::copy_async(word(4 * to), source.value.data(), true); }

}  // namespace

TEST(PlantedBugs, ReadOfWhatAnotherWarpWrites) {
  expect_found("wrote, without a barrier between", 64, [](Bug bug) {
    if (ptx::warp_index() == 0) write(ptx::lane_index());
    if (bug == Bug::no) ptx::sync_threads();
    if (ptx::warp_index() == 1) read(ptx::lane_index());
  });
}

TEST(PlantedBugs, WriteOverWhatAnotherWarpWrote) {
  expect_found("writes over what thread", 64, [](Bug bug) {
    if (ptx::warp_index() == 0) write(ptx::lane_index());
    if (bug == Bug::no) ptx::sync_threads();
    if (ptx::warp_index() == 1) write(ptx::lane_index());
  });
}

TEST(PlantedBugs, WriteOverWhatAnotherWarpReads) {
  expect_found("reads, without a barrier between", 64, [](Bug bug) {
    if (ptx::warp_index() == 0) write(ptx::lane_index());
    ptx::sync_threads();
    if (ptx::warp_index() == 0) read(ptx::lane_index());
    if (bug == Bug::no) ptx::sync_threads();
    if (ptx::warp_index() == 1) write(ptx::lane_index());
  });
}

TEST(PlantedBugs, CopyIntoABufferThatIsStillRead) {
  expect_found("reads, without a barrier between", 64, [](Bug bug) {
    if (ptx::warp_index() == 0) write(4 * ptx::lane_index());
    ptx::sync_threads();
    if (ptx::warp_index() == 0) read(4 * ptx::lane_index());
    if (bug == Bug::no) ptx::sync_threads();
    if (ptx::warp_index() == 1) copy(ptx::lane_index());
  });
}

TEST(PlantedBugs, CopyOverACopy) {
  expect_found("writes where a copy has not been waited for", 32, [](Bug bug) {
    copy(ptx::lane_index());
    ptx::commit_copies();
    if (bug == Bug::no) ptx::wait_for_copies<0>();
    copy(ptx::lane_index());
  });
}

TEST(PlantedBugs, MissingSyncWarpBeforeALoad) {
  expect_found("wrote, without a barrier between", 32, [](Bug bug) {
    write(ptx::lane_index());
    if (bug == Bug::no) ptx::sync_warp();
    if (bug == Bug::yes) ptx::any(true);  // lanes meet, which orders no memory accesses
    read(31 - ptx::lane_index());
  });
}

TEST(PlantedBugs, MissingSyncWarpBeforeLdmatrix) {
  // Each lane names the row that it wrote itself; but the row's values go to other lanes.
  expect_found("ldmatrix", 32, [](Bug bug) {
    for (int i = 0; i < 4; ++i) write(4 * ptx::lane_index() + i);
    if (bug == Bug::no) ptx::sync_warp();
    ptx::load_matrices(word(4 * ptx::lane_index()));
  });
}

TEST(PlantedBugs, MissingWaitForCopies) {
  expect_found("reads what a copy has not been waited for", 32, [](Bug bug) {
    copy(ptx::lane_index());
    ptx::commit_copies();
    if (bug == Bug::no) ptx::wait_for_copies<0>();
    read(4 * ptx::lane_index());
  });
}

TEST(PlantedBugs, OneCopyGroupTooManyPending) {
  expect_found("reads what a copy has not been waited for", 32, [](Bug bug) {
    copy(ptx::lane_index());
    ptx::commit_copies();
    copy(32 + ptx::lane_index());
    ptx::commit_copies();
    bug == Bug::no ? ptx::wait_for_copies<1>() : ptx::wait_for_copies<2>();
    read(4 * ptx::lane_index());
  });
}

TEST(PlantedBugs, MissingCommit) {
  expect_found("reads what a copy has not been waited for", 32, [](Bug bug) {
    copy(ptx::lane_index());
    if (bug == Bug::no) ptx::commit_copies();
    ptx::wait_for_copies<0>();
    read(4 * ptx::lane_index());
  });
}

TEST(PlantedBugs, MissingBarrierAfterTheWaitForCopies) {
  expect_found("wrote, without a barrier between", 64, [](Bug bug) {
    copy(ptx::thread_index());
    ptx::commit_copies();
    ptx::wait_for_copies<0>();
    bug == Bug::no ? ptx::sync_threads() : ptx::sync_warp();
    if (ptx::warp_index() == 1) read(4 * ptx::lane_index());
  });
}

TEST(PlantedBugs, BarrierBeforeTheWaitForCopies) {
  expect_found("a copy has not been waited for", 64, [](Bug bug) {
    copy(ptx::thread_index());
    ptx::commit_copies();
    if (bug == Bug::no) ptx::wait_for_copies<0>();
    ptx::sync_threads();
    read(4 * (63 - ptx::thread_index()));
    if (bug == Bug::yes) ptx::wait_for_copies<0>();
  });
}

TEST(PlantedBugs, MisalignedAccess) {
  expect_found("shared byte 8: must be a multiple of 16", 32, [](Bug bug) {
    if (ptx::lane_index() == 0) ptx::store_shared(word(bug == Bug::no ? 4 : 2), ptx::Vector4{});
  });
  expect_found("cp.async, thread 0: from = ", 32, [](Bug bug) {
    if (ptx::lane_index() == 0) ptx::copy_async(word(0), &source.value[bug == Bug::no ? 4u : 1u], true);
  });
}

TEST(PlantedBugs, AccessOutOfBounds) {
  expect_found("shared byte 4096: out of bounds: 4 bytes there, the block has 4096", 32, [](Bug bug) {
    if (ptx::lane_index() == 0) write(bug == Bug::no ? 1023 : 1024);
  });
  expect_found("shared byte -4: out of bounds", 32, [](Bug bug) {
    if (ptx::lane_index() == 0) write(bug == Bug::no ? 0 : -1);
  });
  expect_found("shared byte 4096: out of bounds: 16 bytes there", 32, [](Bug bug) {
    if (ptx::lane_index() == 0) copy(bug == Bug::no ? 255 : 256);
  });
}

TEST(PlantedBugs, ReadOfUnwrittenBytes) {
  expect_found("shared byte 12: reads what nobody wrote", 32, [](Bug bug) {
    if (ptx::lane_index() != 0) return;
    for (int i = 0; i < (bug == Bug::no ? 4 : 3); ++i) write(i);
    ptx::load_shared<ptx::Vector4>(word(0));
  });
}

TEST(PlantedBugs, DivergentCollectives) {
  expect_found("where other lanes of its warp are at", 32, [](Bug bug) {
    if (ptx::lane_index() < 16 || bug == Bug::no) {
      ptx::shuffle(1, 0);
    } else {
      ptx::any(true);
    }
  });
  expect_found("where other lanes of its warp are at", 32, [](Bug bug) {
    if (ptx::lane_index() < 16 || bug == Bug::no) {
      ptx::sync_threads();
    } else {
      ptx::sync_warp();
    }
  });
}

TEST(PlantedBugs, HalfAWarpAtABarrier) {
  // Two halves of two warps are as many threads as the barrier waits for.
  expect_found("where other lanes of its warp are at", 64, [](Bug bug) {
    if (bug == Bug::no) return;
    if (ptx::lane_index() < 16) {
      ptx::named_barrier_sync(1, 32);
    } else {
      ptx::any(true);
    }
  });
}

TEST(PlantedBugs, ExitedLanes) {
  const auto kernel = [](Bug bug) {
    if (bug == Bug::yes && ptx::lane_index() == 31) return;
    ptx::shuffle(1, 0);
  };
  expect_found("where thread 31 of its warp has ended", 32, kernel);
  expect_found("thread 31 ended where other lanes of its warp are at shfl.sync", 32, kernel);
}

TEST(PlantedBugs, ExitedWarp) {
  expect_found("no thread can go on: threads 0 to 31: bar.sync 0, threads 32 to 63: ended", 64, [](Bug bug) {
    if (bug == Bug::yes && ptx::warp_index() == 1) return;
    ptx::sync_threads();
  });
}

TEST(PlantedBugs, BarrierCounts) {
  expect_found("others there for", 96, [](Bug bug) {
    if (ptx::warp_index() == 2) return;
    ptx::named_barrier_sync(1, bug == Bug::yes && ptx::warp_index() == 1 ? 96 : 64);
  });
  expect_found("must be whole warps", 64, [](Bug bug) { ptx::named_barrier_sync(1, bug == Bug::no ? 64 : 48); });
  expect_found("must be 0 to 15", 64, [](Bug bug) { ptx::named_barrier_sync(bug == Bug::no ? 15 : 16, 64); });
}

TEST(PlantedBugs, BarrierNeverCompleted) {
  expect_found("no thread can go on: threads 0 to 63: bar.sync 2, threads 64 to 95: ended", 96, [](Bug bug) {
    if (ptx::warp_index() == 2) return;
    ptx::named_barrier_sync(2, bug == Bug::no ? 64 : 96);
  });
}

TEST(PlantedBugs, BarriersThatWaitForEachOther) {
  expect_found("threads 0 to 31: bar.sync 1, threads 32 to 63: bar.sync 2", 64, [](Bug bug) {
    const bool is_first = ptx::warp_index() == 0 || bug == Bug::no;
    ptx::named_barrier_sync(is_first ? 1 : 2, 64);
    ptx::named_barrier_sync(is_first ? 2 : 1, 64);
  });
}
