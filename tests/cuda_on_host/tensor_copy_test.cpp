// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"
#include <caesura/error.hpp>

#include <ptx/barrier.hpp>
#include <ptx/fence.hpp>
#include <ptx/mbarrier.hpp>
#include <ptx/tensor_copy.hpp>

#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

using namespace caesura;
using cuda_on_host::expect_sound;
using ptx::Swizzle;

namespace {

ptx::SharedAddress barrier() { return ptx::shared_memory() + 65536; }
constexpr std::int64_t shared_bytes = 65536 + 16;

/// 16-bit patterns, each its own position.
struct Tensor {
  std::vector<std::uint16_t> value;
  explicit Tensor(std::size_t size) : value(size + 8) { std::iota(value.begin(), value.end(), std::uint16_t{1}); }
  const bfloat16* data() const {
    const std::size_t past = reinterpret_cast<std::uintptr_t>(value.data()) % 16 / sizeof(std::uint16_t);
    return reinterpret_cast<const bfloat16*>(value.data() + (8 - past) % 8);  // the next multiple of 16 bytes
  }
  std::uint16_t at(std::int64_t i) const { return data()[i].bits(); }
};

template <class Load>
void load_and_wait(int bytes, const Load& load) {
  if (ptx::thread_index() == 0) {
    ptx::mbarrier_init(barrier(), 1);
    ptx::fence_mbarrier_init();
    ptx::mbarrier_arrive_expecting(barrier(), bytes);
    load();
  }
  ptx::sync_threads();
  ptx::mbarrier_wait(barrier(), 0);
}

/// What cuTensorMapEncodeTiled's swizzles do, as the tables of PTX 5.5.7 list it: in an atom of rows of 128 bytes, where
/// piece c of 16 bytes of row r is.
int piece_in_table(Swizzle swizzle, int r, int c) {
  // Rows of the figures "Example of 32B / 64B / 128B swizzle mode", which repeat behind the last.
  static constexpr int of32[2][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}};
  static constexpr int of64[4][8] = {
      {0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}, {2, 3, 0, 1, 6, 7, 4, 5}, {3, 2, 1, 0, 7, 6, 5, 4}};
  static constexpr int of128[8][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}, {2, 3, 0, 1, 6, 7, 4, 5},
                                      {3, 2, 1, 0, 7, 6, 5, 4}, {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
                                      {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}};
  switch (swizzle) {
    case Swizzle::none: return c;
    case Swizzle::bytes32: return of32[r % 2][c];
    case Swizzle::bytes64: return of64[r % 4][c];
    case Swizzle::bytes128: return of128[r % 8][c];
  }
  return -1;
}

std::uint32_t swizzled_by_table(Swizzle swizzle, std::uint32_t linear) {
  const int piece = piece_in_table(swizzle, static_cast<int>(linear / 128), static_cast<int>(linear / 16 % 8));
  return linear / 128 * 128 + static_cast<std::uint32_t>(piece) * 16 + linear % 16;
}

}  // namespace

class TensorCopy : public ::testing::TestWithParam<Swizzle> {};
INSTANTIATE_TEST_SUITE_P(Swizzles, TensorCopy,
                         ::testing::Values(Swizzle::none, Swizzle::bytes32, Swizzle::bytes64, Swizzle::bytes128));

TEST_P(TensorCopy, SwizzledIsTheTable) {
  for (std::uint32_t linear = 0; linear < 4096; ++linear) {
    EXPECT_EQ(ptx::swizzled(linear, GetParam()), swizzled_by_table(GetParam(), linear)) << "byte " << linear;
  }
}

TEST_P(TensorCopy, LoadOfABoxOfTwoDimensions) {
  const Swizzle swizzle = GetParam();
  const int width = swizzle == Swizzle::none ? 72 : ptx::bytes_of(swizzle) / 2, height = 24;
  const Tensor tensor(100 * 128);
  const auto map = ptx::make_tensor_map<bfloat16, 2>(tensor.data(), {128, 90}, {256},
                                                     {std::uint32_t(width), std::uint32_t(height)}, swizzle);
  expect_sound(
      32,
      [&] {
        const ptx::SharedAddress to = ptx::shared_memory() + 2048;
        load_and_wait(width * height * 2, [&] { ptx::tensor_load(to, map, barrier(), 16, 7); });
        for (int y = ptx::lane_index(); y < height; y += 32) {
          for (int x = 0; x < width; ++x) {
            const auto at = swizzled_by_table(swizzle, static_cast<std::uint32_t>(2 * (y * width + x)));
            EXPECT_EQ(ptx::load_shared<std::uint16_t>(to + at), tensor.at(128 * (y + 7) + x + 16))
                << "x " << x << " y " << y;
          }
        }
      },
      shared_bytes);
}

TEST_P(TensorCopy, WhatIsOutsideIsZero) {
  const Swizzle swizzle = GetParam();
  const int width = ptx::bytes_of(swizzle) / 2, height = 8;
  const Tensor tensor(16 * 20);
  const auto map = ptx::make_tensor_map<bfloat16, 2>(tensor.data(), {13, 20}, {32},
                                                     {std::uint32_t(width), std::uint32_t(height)}, swizzle);
  for (const int first_y : {-3, 17, 40}) {
    for (const int first_x : {-8, 0, 8}) {
      expect_sound(
          32,
          [&] {
            const ptx::SharedAddress to = ptx::shared_memory();
            load_and_wait(width * height * 2, [&] { ptx::tensor_load(to, map, barrier(), first_x, first_y); });
            if (ptx::lane_index() >= height) return;
            for (int i = 0; i < width; ++i) {
              const int x = first_x + i, y = first_y + ptx::lane_index();
              const bool is_inside = x >= 0 && x < 13 && y >= 0 && y < 20;
              const auto at =
                  swizzled_by_table(swizzle, static_cast<std::uint32_t>(2 * (ptx::lane_index() * width + i)));
              EXPECT_EQ(ptx::load_shared<std::uint16_t>(to + at), is_inside ? tensor.at(16 * y + x) : 0);
            }
          },
          shared_bytes);
    }
  }
}

TEST_P(TensorCopy, LoadOfThreeAndFourDimensions) {
  const Swizzle swizzle = GetParam();
  const int width = ptx::bytes_of(swizzle) / 2;
  const Tensor tensor(80 * 5 * 6 * 4);
  const auto three =
      ptx::make_tensor_map<bfloat16, 3>(tensor.data(), {80, 5, 24}, {160, 800}, {std::uint32_t(width), 2, 3}, swizzle);
  const auto four = ptx::make_tensor_map<bfloat16, 4>(tensor.data(), {80, 5, 6, 4}, {160, 800, 4800},
                                                      {std::uint32_t(width), 1, 4, 2}, swizzle);
  expect_sound(
      32,
      [&] {
        const ptx::SharedAddress other = ptx::shared_memory() + 4096;
        load_and_wait(2 * width * (6 + 8), [&] {
          ptx::tensor_load(ptx::shared_memory(), three, barrier(), 8, 3, 20);
          ptx::tensor_load(other, four, barrier(), 8, 4, 1, 2);
        });
        if (ptx::lane_index() != 0) return;
        for (int i = 0; i < 6 * width; ++i) {
          const int x = 8 + i % width, y = 3 + i / width % 2, z = 20 + i / width / 2;
          const auto at = swizzled_by_table(swizzle, static_cast<std::uint32_t>(2 * i));
          EXPECT_EQ(ptx::load_shared<std::uint16_t>(ptx::shared_memory() + at), tensor.at(x + 80 * y + 400 * z));
        }
        for (int i = 0; i < 8 * width; ++i) {
          const int x = 8 + i % width, y = 4, z = 1 + i / width % 4, w = 2 + i / width / 4;
          const auto at = swizzled_by_table(swizzle, static_cast<std::uint32_t>(2 * i));
          EXPECT_EQ(ptx::load_shared<std::uint16_t>(other + at), tensor.at(x + 80 * y + 400 * z + 2400 * w));
        }
      },
      shared_bytes);
}

TEST_P(TensorCopy, StoreAndAddLeaveOutWhatIsOutside) {
  const Swizzle swizzle = GetParam();
  const auto width = std::uint32_t(ptx::bytes_of(swizzle) / 4);
  struct alignas(16) Target {
    std::array<float, 8 * 40> value{};
  };
  Target target;
  const auto map = ptx::make_tensor_map<float, 2>(target.value.data(), {7, 37}, {32}, {width, 8}, swizzle);
  for (std::uint64_t seed = 1; seed < 10; ++seed) {
    target.value.fill(-1);
    cuda_on_host::set_seed(seed);
    cuda_on_host::launch(1, 32, 4096, [&] {
      for (std::uint32_t i = std::uint32_t(ptx::lane_index()); i < 8 * width; i += 32) {
        ptx::store_shared(ptx::shared_memory() + swizzled_by_table(swizzle, 4 * i), float(i));
      }
      ptx::fence_async_proxy();
      ptx::sync_warp();
      if (ptx::lane_index() == 0) {
        ptx::tensor_store(map, ptx::shared_memory(), 4, 33);
        ptx::commit_bulk();
        ptx::wait_for_bulk<0>();
        ptx::tensor_add(map, ptx::shared_memory(), 0, 32);
        ptx::commit_bulk();
        ptx::wait_for_bulk_reads<0>();
      }
    });
    for (int y = 0; y < 40; ++y) {
      for (int x = 0; x < 8; ++x) {
        const int w = static_cast<int>(width);
        float expected = -1;
        const bool is_inside = x < 7 && y < 37;
        if (is_inside && x >= 4 && x - 4 < w && y >= 33) expected = float((y - 33) * w + x - 4);
        if (is_inside && x < w && y >= 32) expected += float((y - 32) * w + x);
        EXPECT_EQ(target.value[std::size_t(8 * y + x)], expected) << "x " << x << " y " << y;
      }
    }
  }
}

TEST(TensorMap, RefusesWhatTheDriverRefuses) {
  const Tensor tensor(1024);
  const auto message = [&](std::uint64_t stride, std::uint32_t width, Swizzle swizzle) {
    try {
      ptx::make_tensor_map<bfloat16, 2>(tensor.data(), {64, 8}, {stride}, {width, 8}, swizzle);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(128, 64, Swizzle::bytes128), "");
  EXPECT_NE(message(136, 64, Swizzle::bytes128).find("each stride must be a multiple of 16"), std::string::npos);
  EXPECT_NE(message(128, 64, Swizzle::bytes64).find("as many bytes as the swizzle"), std::string::npos);
  EXPECT_NE(message(128, 20, Swizzle::none).find("multiple of 16 bytes"), std::string::npos);
  EXPECT_NE(message(128, 264, Swizzle::none).find("1 to 256"), std::string::npos);
}
