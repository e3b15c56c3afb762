// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

Mask small_mask() {
  return Mask::from_documents(Documents::from_lengths({60, 1, 47, 0, 33}), {.window = {40, 0}, .prefix = 2});
}

class Dims : public ::testing::TestWithParam<std::pair<std::int64_t, std::int64_t>> {};

TEST_P(Dims, OddAndUnequalOnesAgreeWithTheReference) {
  const auto [dim_qk, dim_v] = GetParam();
  check_all_scalars(Problem(small_mask(), {4, 2, dim_qk, dim_v}, 3));
}

INSTANTIATE_TEST_SUITE_P(QkAndV, Dims,
                         ::testing::Values(std::pair(1, 1), std::pair(1, 64), std::pair(64, 1), std::pair(3, 3),
                                           std::pair(17, 33), std::pair(33, 17), std::pair(2, 7), std::pair(63, 65),
                                           std::pair(64, 128), std::pair(192, 128), std::pair(320, 320),
                                           std::pair(511, 512), std::pair(512, 511), std::pair(512, 3)),
                         [](const auto& test) { return text(test.param.first, "_", test.param.second); });

TEST(Dims, OutputsInTheAccumulatorTypeAreNotRounded) {
  for (const std::int64_t dim : {40, 128}) {
    const Problem problem(small_mask(), {4, 2, dim, dim}, 4);
    const Results expected = expected_results(problem);
    const AttentionPlan<Space> plan(Space(), problem.mask);
    check_kernels<half, float>(problem, expected, plan);
    check_kernels<bfloat16, float>(problem, expected, plan);
  }
}

TEST(Dims, ManyHeadsAndLargeGroups) {
  check_all_scalars(Problem(small_mask(), {16, 1, 16, 24}, 5));
  check_all_scalars(Problem(small_mask(), {15, 5, 16, 24}, 6));
  check_all_scalars(Problem(small_mask(), {32, 32, 8, 8}, 7));
}

TEST(Dims, AFewTokensAreEnough) {
  for (std::int64_t length = 1; length <= 5; ++length) {
    check_all_scalars(Problem(Mask::from_documents(Documents::from_lengths({length})), {2, 1, 16, 16}, 8));
  }
  const Documents cross = Documents::from_lengths(std::vector<std::int64_t>{1, 300}, std::vector<std::int64_t>{200, 1});
  check_all_scalars(Problem(Mask::from_documents(cross, {.kind = MaskKind::full}), {2, 1, 16, 16}, 9));
}

TEST(Dims, NoQueriesOrNoKeysAreFine) {
  check_all_scalars(Problem(Mask::from_slices(0, 0, {}), {2, 1, 16, 16}, 8));
  check_all_scalars(Problem(Mask::from_slices(5, 0, {}), {2, 1, 16, 16}, 8));
  check_all_scalars(Problem(Mask::from_slices(0, 5, {}), {2, 1, 16, 16}, 8));
}

}  // namespace
}  // namespace caesura::testing
