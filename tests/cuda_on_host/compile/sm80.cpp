// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Is there PTX of every wrapper that runs from sm_80 on? Only compiled.

#include <ptx/barrier.hpp>
#include <ptx/cp_async.hpp>
#include <ptx/launch.hpp>
#include <ptx/ldmatrix.hpp>
#include <ptx/math.hpp>
#include <ptx/mma.hpp>
#include <ptx/swizzle.hpp>
#include <ptx/warp.hpp>

namespace caesura::ptx {

struct EverythingOfSm80 {
  static constexpr int threads = 128;
  static constexpr int blocks_a_processor = 1;
  static constexpr int shared_bytes = 4096;
  const float* from;
  float* to;

  CAESURA_DEVICE void operator()() const {
    const SharedAddress shared = shared_memory() + 16 * static_cast<std::uint32_t>(thread_index());
    copy_async(shared, from, block_index() == 0);
    commit_copies();
    wait_for_copies<1>();
    wait_for_copies<0>();
    sync_threads();
    if (sync_threads_or(warp_index() == 1)) named_barrier_arrive(1, 128);
    named_barrier_sync(2, 64);
    sync_warp();
    store_shared(shared, load_shared<float>(shared) + load_shared<std::uint16_t>(shared + 6));
    store_shared(shared + 4, load_shared<std::uint32_t>(shared));
    store_shared(shared, load_shared<Vector4>(shared));
    const Vector4 a = load_matrices(shared), b = load_matrices_transposed(shared);
    float d[4] = {};
    mma_m16n8k16<half>(d, a.word, b.word[0], pack<half>(d[0], 1.0f));
    mma_m16n8k16<bfloat16>(d, a.word, b.word[1], pack<bfloat16>(d[0], 1.0f));
    d[0] = shuffle_xor(shuffle(exp2_approximate(d[0]), 3), 1);
    to[swizzled(static_cast<std::uint32_t>(lane_index()), Swizzle::bytes128)] = any(d[1] > 0) ? d[0] : d[2] + d[3];
  }
};

void launch_everything_of_sm80(const Kokkos::Cuda& space) { launch(space, "sm80", 1, EverythingOfSm80{}); }

}  // namespace caesura::ptx
