// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/barrier.hpp>
#include <ptx/fence.hpp>
#include <ptx/math.hpp>
#include <ptx/wgmma.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

using namespace caesura;
using cuda_on_host::expect_sound;
using ptx::Major;
using ptx::Swizzle;

namespace {

constexpr std::int64_t shared_bytes = 160 << 10;

/// A matrix of `extent` rows of A (columns of B) and `depth` k, as a kernel would lay it out in shared memory: tiles of
/// `bytes_of(swizzle)` by as many rows as there are, each row of a tile contiguous, tiles one behind the other.
struct Operand {
  Major major;
  Swizzle swizzle;
  int extent, depth;
  std::uint32_t at;

  int row_entries() const { return ptx::bytes_of(swizzle) / 2; }
  int rows() const { return major == Major::k ? extent : depth; }
  std::uint32_t tile_bytes() const { return static_cast<std::uint32_t>(rows() * ptx::bytes_of(swizzle)); }
  std::uint32_t bytes() const { return static_cast<std::uint32_t>(2 * extent * depth); }

  ptx::SharedAddress address(int mn, int k) const {
    const int row = major == Major::k ? mn : k, column = major == Major::k ? k : mn;
    const auto tile = static_cast<std::uint32_t>(column / row_entries());
    const auto in_tile = static_cast<std::uint32_t>(row * ptx::bytes_of(swizzle) + column % row_entries() * 2);
    const std::uint32_t linear = (ptx::shared_memory() + at + tile * tile_bytes() + in_tile).value;
    // Independent of ptx::swizzled: the row of 128 bytes moves its pieces of 16.
    const std::uint32_t row_128 = linear / 128, pieces = static_cast<std::uint32_t>(ptx::bytes_of(swizzle)) / 16;
    return {row_128 * 128 + ((linear / 16 % 8) ^ (row_128 % pieces)) * 16 + linear % 16};
  }

  /// The descriptor of k to k + 15.
  ptx::MatrixDescriptor descriptor(int k) const {
    const int span = ptx::bytes_of(swizzle), tile = static_cast<int>(tile_bytes());
    const ptx::SharedAddress start = ptx::shared_memory() + at;
    if (major == Major::k) {
      const auto first = static_cast<std::uint32_t>(k / row_entries() * tile + k % row_entries() * 2);
      return ptx::matrix_descriptor(start + first, tile, 8 * span, swizzle);
    }
    const auto first = static_cast<std::uint32_t>(k * span);
    return swizzle == Swizzle::none ? ptx::matrix_descriptor(start + first, 8 * span, tile, swizzle)
                                    : ptx::matrix_descriptor(start + first, tile, 8 * span, swizzle);
  }

  template <class Scalar, class Value>
  void fill(const Value& value) const {
    const int fast = major == Major::k ? depth : extent, slow = major == Major::k ? extent : depth;
    for (int i = 2 * ptx::thread_index(); i < fast * slow; i += 256) {
      const int x = i % fast, y = i / fast;
      const float low = major == Major::k ? value(y, x) : value(x, y);
      const float high = major == Major::k ? value(y, x + 1) : value(x + 1, y);
      const int mn = major == Major::k ? y : x, k = major == Major::k ? x : y;
      ptx::store_shared(address(mn, k), ptx::pack<Scalar>(low, high));
    }
  }
};

float left_value(int row, int k) { return float((row * 7 + k * 3 + row * k) % 17 - 8); }
float right_value(int column, int k) { return float((column * 5 + k * 11 + column * k) % 13 - 6); }

/// Entry i of a thread's accumulators: PTX, figure "WGMMA .m64nNk16 register fragment layout for accumulator matrix D".
int row_of(int thread, int i) { return thread / 32 * 16 + (thread % 32 >> 2) + (i & 2 ? 8 : 0); }
int column_of(int thread, int i) { return (i >> 2) * 8 + thread % 4 * 2 + (i & 1); }

template <int N>
void expect_product(const float (&d)[N / 2], int depth, float factor) {
  for (int i = 0; i < N / 2; ++i) {
    const int row = row_of(ptx::thread_index(), i), column = column_of(ptx::thread_index(), i);
    float expected = 0;
    for (int k = 0; k < depth; ++k) expected += left_value(row, k) * right_value(column, k);
    EXPECT_EQ(d[i], factor * expected) << "row " << row << ", column " << column;
  }
}

template <class Scalar, int N, Major MajorA, Major MajorB>
void multiply(Swizzle swizzle_a, Swizzle swizzle_b, int depth) {
  SCOPED_TRACE(testing::Message() << "N " << N << " swizzles " << int(swizzle_a) << " " << int(swizzle_b));
  const Operand a{MajorA, swizzle_a, 64, depth, 0};
  const Operand b{MajorB, swizzle_b, N, depth, (a.bytes() + 1023) / 1024 * 1024};
  cuda_on_host::launch(1, 128, shared_bytes, [&] {
    a.fill<Scalar>([](int row, int k) { return left_value(row, k); });
    b.fill<Scalar>([](int column, int k) { return right_value(column, k); });
    ptx::fence_async_proxy();
    ptx::sync_threads();
    float d[N / 2];
    ptx::wgmma_fence(d);
    for (int k = 0; k < depth; k += 16) {
      ptx::wgmma<Scalar, N, MajorA, MajorB>(d, a.descriptor(k), b.descriptor(k), k > 0);
    }
    ptx::wgmma_commit();
    ptx::wgmma_wait<0>(d);
    expect_product<N>(d, depth, 1);
  });
}

constexpr Swizzle swizzles[] = {Swizzle::none, Swizzle::bytes32, Swizzle::bytes64, Swizzle::bytes128};

template <class Scalar>
class Wgmma : public ::testing::Test {};
using Scalars = ::testing::Types<half, bfloat16>;
TYPED_TEST_SUITE(Wgmma, Scalars);

}  // namespace

TYPED_TEST(Wgmma, OperandsMayLieInEachWay) {
  for (const Swizzle swizzle_a : swizzles) {
    for (const Swizzle swizzle_b : swizzles) {
      multiply<TypeParam, 128, Major::k, Major::k>(swizzle_a, swizzle_b, 64);
      multiply<TypeParam, 128, Major::k, Major::mn>(swizzle_a, swizzle_b, 64);
      multiply<TypeParam, 128, Major::mn, Major::k>(swizzle_a, swizzle_b, 64);
      multiply<TypeParam, 128, Major::mn, Major::mn>(swizzle_a, swizzle_b, 64);
    }
  }
}

TYPED_TEST(Wgmma, HasEachNumberOfColumns) {
  const auto check = []<int N>(std::integral_constant<int, N>) {
    multiply<TypeParam, N, Major::k, Major::k>(Swizzle::bytes128, Swizzle::bytes128, 128);
    if (N % 64 == 0) multiply<TypeParam, N, Major::k, Major::mn>(Swizzle::bytes128, Swizzle::bytes128, 64);
    if (N % 16 == 0) multiply<TypeParam, N, Major::k, Major::mn>(Swizzle::bytes128, Swizzle::bytes32, 64);
  };
  check(std::integral_constant<int, 64>());
  check(std::integral_constant<int, 80>());
  check(std::integral_constant<int, 96>());
  check(std::integral_constant<int, 112>());
  check(std::integral_constant<int, 128>());
  check(std::integral_constant<int, 160>());
  check(std::integral_constant<int, 176>());
  check(std::integral_constant<int, 192>());
  check(std::integral_constant<int, 256>());
}

TYPED_TEST(Wgmma, LeftOperandMayBeInRegisters) {
  constexpr int N = 96, depth = 32;
  const Operand b{Major::mn, Swizzle::bytes64, N, depth, 0};
  expect_sound(
      128,
      [&] {
        b.fill<TypeParam>([](int column, int k) { return right_value(column, k); });
        ptx::fence_async_proxy();
        ptx::sync_threads();
        const int thread = ptx::thread_index(), row = thread / 32 * 16 + thread % 32 / 4;
        std::uint32_t a[depth / 16][4];
        for (int k = 0; k < depth; k += 16) {
          const int first = k + thread % 4 * 2;
          for (int i = 0; i < 4; ++i) {
            const int r = row + 8 * (i % 2), q = first + 8 * (i / 2);
            a[k / 16][i] = ptx::pack<TypeParam>(left_value(r, q), left_value(r, q + 1));
          }
        }
        float d[N / 2] = {};
        ptx::wgmma_fence(d, a);
        for (int k = 0; k < depth; k += 16) {
          ptx::wgmma<TypeParam, N, Major::mn>(d, a[k / 16], b.descriptor(k), true);
        }
        ptx::wgmma_commit();
        ptx::wgmma_wait<0>(d);
        expect_product<N>(d, depth, 1);
      },
      shared_bytes);
}

TYPED_TEST(Wgmma, GroupsFinishInOrderAndSumsGoOn) {
  constexpr int N = 64, depth = 64;
  const Operand a{Major::k, Swizzle::bytes128, 64, depth, 0}, b{Major::k, Swizzle::bytes128, N, depth, 8192};
  expect_sound(
      256,
      [&] {
        if (ptx::warp_index() < 4) {
          a.fill<TypeParam>([](int row, int k) { return left_value(row, k); });
          b.fill<TypeParam>([](int column, int k) { return right_value(column, k); });
          ptx::fence_async_proxy();
        }
        ptx::sync_threads();
        if (ptx::warp_index() < 4) return;
        const int thread = ptx::thread_index() - 128;
        float first[N / 2] = {}, second[N / 2];
        const auto multiply = [&](float(&d)[N / 2], bool accumulates) {
          for (int k = 0; k < depth; k += 16) {
            ptx::wgmma<TypeParam, N, Major::k, Major::k>(d, a.descriptor(k), b.descriptor(k), accumulates || k > 0);
          }
          ptx::wgmma_commit();
        };
        const auto expect = [&](const float(&d)[N / 2], float factor) {
          for (int i = 0; i < N / 2; ++i) {
            float expected = 0;
            for (int k = 0; k < depth; ++k) {
              expected += left_value(row_of(thread, i), k) * right_value(column_of(thread, i), k);
            }
            EXPECT_EQ(d[i], factor * expected);
          }
        };
        ptx::wgmma_fence(first, second);
        multiply(first, true);
        multiply(second, false);
        ptx::wgmma_wait<1>(first);
        expect(first, 1);
        for (float& x : first) x *= 2;  // while the second goes on
        ptx::wgmma_fence(first, second);
        multiply(second, true);
        multiply(first, true);
        ptx::wgmma_wait<0>(first, second);
        expect(first, 3);
        expect(second, 2);
      },
      shared_bytes);
}
