// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Is there PTX of every wrapper that runs on sm_90a? Only compiled.

#include <ptx/bulk_copy.hpp>
#include <ptx/fence.hpp>
#include <ptx/launch.hpp>
#include <ptx/mbarrier.hpp>
#include <ptx/registers.hpp>
#include <ptx/stmatrix.hpp>
#include <ptx/tensor_copy.hpp>
#include <ptx/warp.hpp>
#include <ptx/wgmma.hpp>

namespace caesura::ptx {

/// Other architectures that this file is compiled for have none of it: their kernels are empty.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define CAESURA_ON_SM90(statement) statement
#else
#define CAESURA_ON_SM90(statement)
#endif

template <class Scalar, int N>
struct Multiply {
  static constexpr int threads = 128;
  static constexpr int blocks_a_processor = 1;
  static constexpr int shared_bytes = 65536;
  float* to;

  CAESURA_DEVICE void run() const {
    const MatrixDescriptor matrix = matrix_descriptor(shared_memory(), 16, 1024, Swizzle::bytes128);
    float d[N / 2];
    std::uint32_t a[2][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}};
    wgmma_fence(d, a);
    wgmma<Scalar, N, Major::k, Major::k>(d, matrix, matrix, false);
    wgmma<Scalar, N, Major::mn, Major::k>(d, matrix + 32, matrix + 32, true);
    wgmma<Scalar, N, Major::k, Major::mn>(d, matrix, matrix, true);
    wgmma<Scalar, N, Major::mn, Major::mn>(d, matrix, matrix, true);
    wgmma<Scalar, N, Major::k>(d, a[0], matrix, true);
    wgmma<Scalar, N, Major::mn>(d, a[1], matrix, true);
    wgmma_commit();
    wgmma_wait<0>(d);
    for (int i = 0; i < N / 2; ++i) to[i * threads + thread_index()] = d[i];
  }
  CAESURA_DEVICE void operator()() const { CAESURA_ON_SM90(run()); }
};

struct EverythingOfSm90 {
  static constexpr int threads = 256;
  static constexpr int blocks_a_processor = 1;
  static constexpr int shared_bytes = 65536;
  TensorMap map;
  const float* from;
  float* to;

  CAESURA_DEVICE void run() const {
    const SharedAddress barrier = shared_memory(), shared = shared_memory() + 1024;
    if (warp_index() >= 4) {
      shrink_registers<24>();
      if (!elect_one()) return;
      prefetch_tensor_map(map);
      mbarrier_init(barrier, 1);
      fence_mbarrier_init();
      mbarrier_arrive_expecting(barrier, 4096);
      bulk_load(shared, from, 1024, barrier);
      tensor_load(shared, map, barrier, 1, 2);
      tensor_load(shared, map, barrier, 1, 2, 3);
      tensor_load(shared, map, barrier, 1, 2, 3, 4);
      mbarrier_wait(barrier, 0);
      mbarrier_arrive(barrier);
      bulk_store(to, shared, 1024);
      bulk_add(to, shared, 1024);
      tensor_store(map, shared, 1, 2);
      tensor_store(map, shared, 1, 2, 3);
      tensor_store(map, shared, 1, 2, 3, 4);
      tensor_add(map, shared, 1, 2);
      tensor_add(map, shared, 1, 2, 3);
      tensor_add(map, shared, 1, 2, 3, 4);
      commit_bulk();
      wait_for_bulk_reads<1>();
      wait_for_bulk<0>();
      mbarrier_invalidate(barrier);
    } else {
      grow_registers<240>();
      store_matrices(shared, Vector4{});
      store_matrices_transposed(shared, Vector4{});
      fence_async_proxy();
    }
  }
  CAESURA_DEVICE void operator()() const { CAESURA_ON_SM90(run()); }
};

template <class Scalar, int... N>
void launch_products(const Kokkos::Cuda& space) {
  (launch(space, "wgmma", 1, Multiply<Scalar, N>{}), ...);
}

void launch_everything_of_sm90(const Kokkos::Cuda& space, const float* from) {
  EverythingOfSm90 kernel{};
  kernel.map =
      make_tensor_map<float, 4>(from, {64, 64, 64, 64}, {256, 16384, 1048576}, {32, 8, 1, 1}, Swizzle::bytes128);
  kernel.map = make_tensor_map<bfloat16, 2>(nullptr, {64, 64}, {128}, {64, 8}, Swizzle::bytes128);
  kernel.map = make_tensor_map<half, 3>(nullptr, {64, 64, 2}, {128, 8192}, {64, 8, 1}, Swizzle::none);
  launch(space, "sm90", 1, kernel);
  launch_products<half, 64, 80, 96, 112, 128, 160, 176, 192, 256>(space);
  launch_products<bfloat16, 64, 80, 96, 112, 128, 160, 176, 192, 256>(space);
}

}  // namespace caesura::ptx
