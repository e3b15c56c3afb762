// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace caesura::testing {
namespace {

/// One of each tile shape, and such as are padded.
constexpr std::array<std::int64_t, 8> dims = {8, 32, 40, 64, 96, 128, 192, 256};

class CudaKernels : public ::testing::TestWithParam<NamedMask> {};

TEST_P(CudaKernels, AgreeWithTheReferenceInEveryDim) {
  const AttentionPlan<Space> plan(Space(), GetParam().mask);
  std::uint64_t seed = 1;
  for (const std::int64_t dim : dims) {
    const Problem problem(GetParam().mask, {2, 1, dim, dim}, seed++);
    const Results expected = expected_results(problem);
    const std::vector<std::string> names = kernel_names(ScalarType::float16, dim);
    ASSERT_TRUE(std::find(names.begin(), names.end(), "cuda_sm80") != names.end());
    check_kernels<half>(problem, expected, plan);
    check_kernels<bfloat16>(problem, expected, plan);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, CudaKernels, ::testing::ValuesIn(kernel_masks()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace caesura::testing
