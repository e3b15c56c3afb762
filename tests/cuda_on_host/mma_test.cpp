// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "emulated.hpp"

#include <ptx/math.hpp>
#include <ptx/mma.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using namespace caesura;
using cuda_on_host::expect_sound;

namespace {

// Where an entry is, written as PTX's own formulas (9.7.14.5.8): groupID = lane >> 2, threadID_in_group = lane % 4.
//   A, entry i of 8: row = groupID for i in {0, 1, 4, 5}, else groupID + 8
//                    column = threadID_in_group * 2 + (i & 1), + 8 for i >= 4
//   B, entry i of 4: row = threadID_in_group * 2 + (i & 1), + 8 for i >= 2;   column = groupID
//   C, entry i of 4: row = groupID for i < 2, else groupID + 8;   column = threadID_in_group * 2 + (i & 1)
struct Position {
  int row, column;
  bool operator==(const Position&) const = default;
};
Position of_a(int lane, int i) {
  const bool is_upper = i == 0 || i == 1 || i == 4 || i == 5;
  return {(lane >> 2) + (is_upper ? 0 : 8), (lane % 4) * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
Position of_b(int lane, int i) { return {(lane % 4) * 2 + (i & 1) + (i >= 2 ? 8 : 0), lane >> 2}; }
Position of_c(int lane, int i) { return {(lane >> 2) + (i < 2 ? 0 : 8), (lane % 4) * 2 + (i & 1)}; }

template <class Scalar>
class Mma : public ::testing::Test {};
using Scalars = ::testing::Types<half, bfloat16>;
TYPED_TEST_SUITE(Mma, Scalars);

/// The fragments of a lane from whole matrices; the result must be c + a b at each entry of the lane.
template <class Scalar, class A, class B, class C>
void expect_product(const A& a, const B& b, const C& c, double tolerance) {
  const int lane = ptx::lane_index();
  std::uint32_t fragment_a[4], fragment_b[2];
  float d[4];
  for (int i = 0; i < 4; ++i) {
    const Position low = of_a(lane, 2 * i), high = of_a(lane, 2 * i + 1);
    fragment_a[i] = ptx::pack<Scalar>(a(low.row, low.column), a(high.row, high.column));
    d[i] = c(of_c(lane, i).row, of_c(lane, i).column);
  }
  for (int i = 0; i < 2; ++i) {
    const Position low = of_b(lane, 2 * i), high = of_b(lane, 2 * i + 1);
    fragment_b[i] = ptx::pack<Scalar>(b(low.row, low.column), b(high.row, high.column));
  }
  ptx::mma_m16n8k16<Scalar>(d, fragment_a, fragment_b[0], fragment_b[1]);
  for (int i = 0; i < 4; ++i) {
    const Position at = of_c(lane, i);
    double expected = c(at.row, at.column);
    for (int k = 0; k < 16; ++k) {
      expected += double{float(Scalar(a(at.row, k)))} * double{float(Scalar(b(k, at.column)))};
    }
    EXPECT_NEAR(d[i], expected, tolerance) << "row " << at.row << ", column " << at.column;
  }
}

}  // namespace

TYPED_TEST(Mma, EachPairOfEntriesMeetsInOnePlace) {
  cuda_on_host::launch(1, 32, 0, [] {
    for (int row = 0; row < 16; ++row) {
      for (int k = 0; k < 16; ++k) {
        const Position in_a{row, k}, in_b{k, (row + k) % 8};
        expect_product<TypeParam>(
            [&](int r, int q) {
              return Position{r, q} == in_a ? 2.0f : 0.0f;
            },
            [&](int q, int n) {
              return Position{q, n} == in_b ? 3.0f : 0.0f;
            },
            [](int, int) { return 0.0f; }, 0);
      }
    }
    for (int column = 0; column < 8; ++column) {
      const Position in_a{3, 5}, in_b{5, column};
      expect_product<TypeParam>(
          [&](int r, int q) {
            return Position{r, q} == in_a ? 2.0f : 0.0f;
          },
          [&](int q, int n) {
            return Position{q, n} == in_b ? 3.0f : 0.0f;
          },
          [](int, int) { return 0.0f; }, 0);
    }
  });
}

TYPED_TEST(Mma, AddsTheProductToWhatWasThere) {
  cuda_on_host::launch(1, 64, 0, [] {
    expect_product<TypeParam>([](int r, int q) { return std::sin(float(3 * r + 17 * q)); },
                              [](int q, int n) { return std::cos(float(5 * q + 29 * n)); },
                              [](int r, int n) { return float(r) - 0.5f * float(n); }, 1e-5);
  });
}

TYPED_TEST(Mma, NanTimesZeroIsNan) {
  cuda_on_host::launch(1, 32, 0, [] {
    std::uint32_t a[4] = {}, b = ptx::pack<TypeParam>(std::numeric_limits<float>::quiet_NaN(), 0.0f);
    float d[4] = {};
    ptx::mma_m16n8k16<TypeParam>(d, a, b, 0u);
    for (const float x : d) EXPECT_TRUE(std::isnan(x));
  });
}

TEST(Math, PackPutsTheFirstValueIntoTheLowerHalf) {
  cuda_on_host::launch(1, 32, 0, [] {
    EXPECT_EQ(ptx::pack<bfloat16>(1.0f, -2.0f), 0xc0003f80u);
    EXPECT_EQ(ptx::pack<half>(1.0f, -2.0f), 0xc0003c00u);
    EXPECT_EQ(ptx::pack<bfloat16>(1.00390625f, 1.01171875f), 0x3f823f80u) << "ties go to even";
  });
}

TEST(Math, Exp2IsExactAtItsEnds) {
  cuda_on_host::launch(1, 32, 0, [] {
    EXPECT_EQ(ptx::exp2_approximate(-std::numeric_limits<float>::infinity()), 0.0f);
    EXPECT_EQ(ptx::exp2_approximate(3.0f), 8.0f);
  });
}
