// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Bugs with wgmma that the emulator must find.

#include "planted_bugs.hpp"

#include <ptx/barrier.hpp>
#include <ptx/fence.hpp>
#include <ptx/math.hpp>
#include <ptx/warp.hpp>
#include <ptx/wgmma.hpp>

#include <cmath>
#include <cstdint>

using namespace caesura;
using cuda_on_host::Bug;
using cuda_on_host::expect_found;
using ptx::Major;
using ptx::Swizzle;

namespace {

constexpr std::int64_t shared_bytes = 16384;
constexpr int N = 64;

/// A and B are 64 x 64 each, rows of 128 bytes: each value of A is 1, B is the unit matrix.
ptx::SharedAddress a_at() { return ptx::shared_memory(); }
ptx::SharedAddress b_at() { return ptx::shared_memory() + 8192; }

void fill_without_fence() {
  for (int i = ptx::thread_index(); i < 2048; i += 128) {
    const int row = i / 32, column = i % 32 * 2;
    const auto at = static_cast<std::uint32_t>(row * 128 + column * 2);
    ptx::store_shared(a_at() + at, ptx::pack<half>(1, 1));
    const std::uint32_t b = ptx::pack<half>(row == column ? 1.0f : 0.0f, row == column + 1 ? 1.0f : 0.0f);
    ptx::store_shared({ptx::swizzled((b_at() + at).value, Swizzle::bytes128)}, b);
  }
}

void fill() {
  fill_without_fence();
  ptx::fence_async_proxy();
  ptx::sync_threads();
}

ptx::MatrixDescriptor descriptor(ptx::SharedAddress at, Swizzle swizzle = Swizzle::bytes128) {
  return ptx::matrix_descriptor(at, 16, 8 * ptx::bytes_of(swizzle), swizzle);
}

/// One step of 16 of the sum.
void multiply(float (&d)[N / 2], bool accumulates = false) {
  ptx::wgmma<half, N, Major::k, Major::k>(d, descriptor(a_at()), descriptor(b_at()), accumulates);
}

template <class Kernel>
void expect_found_in_warpgroup(const std::string& said, const Kernel& kernel, int threads = 128) {
  expect_found(said, threads, kernel, shared_bytes);
}

}  // namespace

TEST(PlantedWgmmaBugs, MissingProxyFence) {
  expect_found_in_warpgroup("wrote, without its fence.proxy.async before the barrier between", [](Bug bug) {
    fill_without_fence();
    if (bug == Bug::no) ptx::fence_async_proxy();
    ptx::sync_threads();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, MissingBarrierBehindTheWrites) {
  expect_found_in_warpgroup("without a barrier between", [](Bug bug) {
    fill_without_fence();
    ptx::fence_async_proxy();
    bug == Bug::no ? ptx::sync_threads() : ptx::sync_warp();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, MissingFence) {
  expect_found_in_warpgroup("needs a wgmma.fence, at first and since the last wait", [](Bug bug) {
    fill();
    float d[N / 2] = {};
    for (int round = 0; round < 2; ++round) {
      if (bug == Bug::no || round == 0) ptx::wgmma_fence(d);
      multiply(d, true);
      ptx::wgmma_commit();
      ptx::wgmma_wait<0>(d);
      for (float& x : d) x *= 2;
    }
  });
}

TEST(PlantedWgmmaBugs, FenceOfOtherRegisters) {
  expect_found_in_warpgroup("accumulators need a wgmma.fence that names them", [](Bug bug) {
    fill();
    float d[N / 2], other[N / 2];
    bug == Bug::no ? ptx::wgmma_fence(d) : ptx::wgmma_fence(other);
    multiply(d);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, RegistersAreWrittenBehindTheFence) {
  expect_found_in_warpgroup("accumulators were written behind wgmma.fence", [](Bug bug) {
    fill();
    float d[N / 2] = {};
    ptx::wgmma_fence(d);
    if (bug == Bug::yes) d[7] = 1;
    multiply(d, true);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
  expect_found_in_warpgroup("registers of a were written behind wgmma.fence", [](Bug bug) {
    fill();
    float d[N / 2] = {};
    std::uint32_t a[4] = {};
    ptx::wgmma_fence(d, a);
    if (bug == Bug::yes) a[2] = 1;
    ptx::wgmma<half, N, Major::k>(d, a, descriptor(b_at()), true);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, MissingCommit) {
  expect_found_in_warpgroup("it names accumulators of products that go on", [](Bug bug) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    if (bug == Bug::no) ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, MissingWait) {
  expect_found_in_warpgroup("ended without a wait for its wgmma", [](Bug bug) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    if (bug == Bug::no) ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, AccumulatorsAreNanBeforeTheWait) {
  cuda_on_host::launch(1, 128, shared_bytes, [] {
    fill();
    float first[N / 2], second[N / 2];
    ptx::wgmma_fence(first, second);
    multiply(first);
    ptx::wgmma_commit();
    multiply(second);
    ptx::wgmma_commit();
    ptx::wgmma_wait<1>(first);
    for (const float x : first) EXPECT_FALSE(std::isnan(x));
    for (const float x : second) EXPECT_TRUE(std::isnan(x));
    ptx::wgmma_wait<0>(second);
    for (const float x : second) EXPECT_FALSE(std::isnan(x));
  });
}

TEST(PlantedWgmmaBugs, AccumulatorsAreWrittenBeforeTheWait) {
  expect_found_in_warpgroup("its accumulators were written before the wait", [](Bug bug) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    if (bug == Bug::yes) d[0] *= 0.5f;
    if (bug == Bug::yes) d[1] = 0;
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, WaitForFewerGroupsThanNamed) {
  expect_found_in_warpgroup("it names accumulators of products that go on", [](Bug bug) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    bug == Bug::no ? ptx::wgmma_wait<0>(d) : ptx::wgmma_wait<1>(d);
  });
  expect_found_in_warpgroup("it does not name all accumulators that are there now", [](Bug bug) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    bug == Bug::no ? ptx::wgmma_wait<0>(d) : ptx::wgmma_wait<0>();
  });
}

TEST(PlantedWgmmaBugs, OperandIsOverwrittenBeforeTheWait) {
  expect_found_in_warpgroup("writes over what a bulk copy or wgmma reads that was not waited for", [](Bug bug) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    if (bug == Bug::no) ptx::wgmma_wait<0>(d);
    ptx::sync_threads();
    if (ptx::thread_index() == 0) ptx::store_shared(a_at(), 0.0f);
    if (bug == Bug::yes) ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, OperandIsOverwrittenWhileOtherWarpsUseIt) {
  expect_found_in_warpgroup("reads", [](Bug bug) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
    bug == Bug::no ? ptx::sync_threads() : ptx::sync_warp();
    if (ptx::thread_index() == 0) ptx::store_shared(a_at(), 0.0f);
  });
}

TEST(PlantedWgmmaBugs, OneWarpDoesNotTakePart) {
  expect_found_in_warpgroup("no thread can go on", [](Bug bug) {
    fill();
    if (bug == Bug::yes && ptx::warp_index() == 3) return;
    float d[N / 2];
    ptx::wgmma_fence(d);
    multiply(d);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, ThreadsDisagreeOnTheOperands) {
  expect_found_in_warpgroup("its operands are not those of other threads of its warpgroup", [](Bug bug) {
    fill();
    float d[N / 2] = {};
    ptx::wgmma_fence(d);
    multiply(d, bug == Bug::no || ptx::thread_index() != 70);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  });
}

TEST(PlantedWgmmaBugs, OperandOutOfBoundsOrOffItsPattern) {
  const auto kernel = [](std::uint32_t at) {
    fill();
    float d[N / 2];
    ptx::wgmma_fence(d);
    ptx::wgmma<half, N, Major::k, Major::k>(d, descriptor(a_at()), descriptor(a_at() + at), false);
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
  };
  expect_found_in_warpgroup("out of bounds", [&](Bug bug) { kernel(bug == Bug::no ? 8192 : 9216); });
  expect_found_in_warpgroup("must be in the first row of its swizzle's pattern",
                            [&](Bug bug) { kernel(bug == Bug::no ? 1024 : 1152); });
}

TEST(PlantedWgmmaBugs, WrongSwizzleOfADescriptor) {
  // A's ones times the unit matrix: one in the first 16 columns, where B is read as it was written.
  for (const Swizzle swizzle : {Swizzle::bytes128, Swizzle::bytes64, Swizzle::bytes32}) {
    int wrong = 0;
    cuda_on_host::launch(1, 128, shared_bytes, [&] {
      fill();
      float d[N / 2];
      ptx::wgmma_fence(d);
      ptx::wgmma<half, N, Major::k, Major::k>(d, descriptor(a_at()), descriptor(b_at(), swizzle), false);
      ptx::wgmma_commit();
      ptx::wgmma_wait<0>(d);
      for (int i = 0; i < N / 2; ++i) wrong += d[i] != (i < 8 ? 1.0f : 0.0f);
    });
    EXPECT_EQ(wrong > 0, swizzle != Swizzle::bytes128);
  }
}
