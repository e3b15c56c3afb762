// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Everything of sm_90 together: tensor copies feed wgmma through a ring of stages, and the result leaves by bulk additions.

#include "planted_bugs.hpp"

#include <ptx/barrier.hpp>
#include <ptx/fence.hpp>
#include <ptx/mbarrier.hpp>
#include <ptx/registers.hpp>
#include <ptx/tensor_copy.hpp>
#include <ptx/warp.hpp>
#include <ptx/wgmma.hpp>

#include <array>
#include <cstdint>

using namespace caesura;
using cuda_on_host::Bug;
using cuda_on_host::expect_found;
using ptx::Major;
using ptx::Swizzle;

namespace {

// The product of `left` (rows x depth) and `right` (depth x columns), or of its transposed (columns x depth).
constexpr int rows = 64, columns = 128, depth = 384, step = 64, stages = 2;
constexpr std::uint32_t left_bytes = rows * step * 2, right_bytes = columns * step * 2;
constexpr std::uint32_t stage_bytes = left_bytes + right_bytes;
constexpr int shared_bytes = 1024 + stages * static_cast<int>(stage_bytes);

float left_value(int row, int k) { return float((row * 5 + k * 3 + row * k) % 11 - 5); }
float right_value(int column, int k) { return float((column * 7 + k + column * k) % 9 - 4); }

struct Matrices {
  alignas(16) std::array<bfloat16, rows * depth> left;
  alignas(16) std::array<bfloat16, columns * depth> right;       // k contiguous
  alignas(16) std::array<bfloat16, columns * depth> transposed;  // column contiguous
  alignas(16) std::array<float, rows * columns> expected{}, result;
  Matrices() {
    for (int k = 0; k < depth; ++k) {
      for (int i = 0; i < rows; ++i) left.data()[i * depth + k] = bfloat16(left_value(i, k));
      for (int i = 0; i < columns; ++i) {
        right.data()[i * depth + k] = transposed.data()[k * columns + i] = bfloat16(right_value(i, k));
      }
      for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
          expected.data()[row * columns + column] += left_value(row, k) * right_value(column, k);
        }
      }
    }
  }
};
Matrices matrices;

struct Product {
  Major major;
  Bug bug;
  ptx::TensorMap left, right;

  Product(Major right_major, Bug planted) : major(right_major), bug(planted) {
    left = ptx::make_tensor_map<bfloat16, 2>(matrices.left.data(), {depth, rows}, {2 * depth}, {step, rows},
                                             Swizzle::bytes128);
    right = major == Major::k ? ptx::make_tensor_map<bfloat16, 2>(matrices.right.data(), {depth, columns}, {2 * depth},
                                                                  {step, columns}, Swizzle::bytes128)
                              : ptx::make_tensor_map<bfloat16, 2>(matrices.transposed.data(), {columns, depth},
                                                                  {2 * columns}, {64, step}, Swizzle::bytes128);
    matrices.result.fill(0);
  }

  static ptx::SharedAddress full(int stage) { return ptx::shared_memory() + 8 * static_cast<std::uint32_t>(stage); }
  static ptx::SharedAddress empty(int stage) { return full(stage) + 8 * stages; }
  static ptx::SharedAddress tile(int stage) {
    return ptx::shared_memory() + 1024 + stage_bytes * static_cast<std::uint32_t>(stage);
  }

  void load() const {
    for (int i = 0; i < depth / step; ++i) {
      const int stage = i % stages, turn = i / stages % 2;
      if (bug == Bug::no || i != 3) ptx::mbarrier_wait(empty(stage), turn ^ 1);
      ptx::mbarrier_arrive_expecting(full(stage), stage_bytes);
      ptx::tensor_load(tile(stage), left, full(stage), i * step, 0);
      if (major == Major::k) {
        ptx::tensor_load(tile(stage) + left_bytes, right, full(stage), i * step, 0);
      } else {
        ptx::tensor_load(tile(stage) + left_bytes, right, full(stage), 0, i * step);
        ptx::tensor_load(tile(stage) + left_bytes + right_bytes / 2, right, full(stage), 64, i * step);
      }
    }
  }

  template <Major MajorB>
  void multiply(float (&d)[columns / 2]) const {
    for (int i = 0; i < depth / step; ++i) {
      const int stage = i % stages;
      ptx::mbarrier_wait(full(stage), i / stages % 2);
      const auto a = ptx::matrix_descriptor(tile(stage), 16, 1024, Swizzle::bytes128);
      const auto b = ptx::matrix_descriptor(tile(stage) + left_bytes, right_bytes / 2, 1024, Swizzle::bytes128);
      ptx::wgmma_fence(d);
      for (int k = 0; k < step; k += 16) {
        const int b_offset = MajorB == Major::k ? 2 * k : 128 * k;
        ptx::wgmma<bfloat16, columns, Major::k, MajorB>(d, a + 2 * k, b + b_offset, i + k > 0);
      }
      ptx::wgmma_commit();
      ptx::wgmma_wait<0>(d);
      if (ptx::elect_one()) ptx::mbarrier_arrive(empty(stage));
    }
  }

  void add_to_result(const float (&d)[columns / 2]) const {
    const int row = ptx::thread_index() / 32 * 16 + ptx::lane_index() / 4;
    ptx::named_barrier_sync(1, 128);  // all have read the last stage
    for (int i = 0; i < columns / 2; ++i) {
      const int to = (row + i / 2 % 2 * 8) * columns + i / 4 * 8 + ptx::lane_index() % 4 * 2 + i % 2;
      ptx::store_shared(tile(0) + 4 * static_cast<std::uint32_t>(to), d[i]);
    }
    ptx::fence_async_proxy();
    ptx::sync_warp();
    if (!ptx::elect_one()) return;
    const int first = ptx::warp_index() * 16 * columns;
    ptx::bulk_add(&matrices.result[std::size_t(first)], tile(0) + 4 * static_cast<std::uint32_t>(first), 64 * columns);
    ptx::commit_bulk();
    ptx::wait_for_bulk_reads<0>();
  }

  void operator()() const {
    if (ptx::thread_index() == 0) {
      for (int i = 0; i < stages; ++i) {
        ptx::mbarrier_init(full(i), 1);
        ptx::mbarrier_init(empty(i), 4);
      }
      ptx::fence_mbarrier_init();
    }
    ptx::sync_threads();
    if (ptx::warp_index() < 4) {
      ptx::grow_registers<256>();
      float d[columns / 2];
      major == Major::k ? multiply<Major::k>(d) : multiply<Major::mn>(d);
      add_to_result(d);
    } else {
      ptx::shrink_registers<56>();
      if (ptx::warp_index() == 4 && ptx::elect_one()) load();
    }
  }
};

}  // namespace

TEST(Pipeline, CopiesAndProductsFollowEachOther) {
  for (const Major major : {Major::k, Major::mn}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const Product kernel(major, Bug::no);
      cuda_on_host::set_seed(seed);
      cuda_on_host::launch(1, 256, shared_bytes, kernel);
      EXPECT_EQ(matrices.result, matrices.expected) << "seed " << seed;
    }
  }
}

TEST(Pipeline, ALoadThatDoesNotWaitForItsStageIsFound) {
  const Product sound(Major::k, Bug::no), faulty(Major::k, Bug::yes);
  expect_found(
      "cp.async.bulk.tensor", 256, [&](Bug bug) { bug == Bug::no ? sound() : faulty(); }, shared_bytes);
}
