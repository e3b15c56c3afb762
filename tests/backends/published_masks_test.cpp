// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

/// Cases of about a thousand tokens at their published size, the others at a quarter of it; kernel_masks() has them smaller.
class PublishedMasks : public ::testing::TestWithParam<NamedMask> {
 public:
  static std::vector<NamedMask> masks() {
    std::vector<NamedMask> result;
    const std::vector<NamedMask> published = published_masks(1), quarters = published_masks(4);
    for (std::size_t i = 0; i < published.size(); ++i) {
      result.push_back(published[i].mask.total_q() <= 1024 ? published[i] : quarters[i]);
    }
    return result;
  }
};

TEST_P(PublishedMasks, AgreeWithTheReference) {
  Problem problem(GetParam().mask, {2, 1, 8, 8}, 121);
  if (GetParam().name == "full_1k") problem.add_sink(1, 122);
  if (GetParam().name == "varlen_840") problem.add_sink(3, 123);
  const Results expected = expected_results(problem);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  check_kernels<double>(problem, expected, plan);
  check_kernels<float>(problem, expected, plan);
  check_kernels<bfloat16>(problem, expected, plan);
}

INSTANTIATE_TEST_SUITE_P(Cases, PublishedMasks, ::testing::ValuesIn(PublishedMasks::masks()),
                         [](const auto& test) { return test.param.name; });

TEST(RandomRectangles, AgreeWithTheReference) {
  for (const std::int64_t count : {10, 100, 1000}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      SCOPED_TRACE(text(count, " rectangles, seed ", seed));
      check_all_scalars(Problem(random_rectangles(513, 123, count, seed), {2, 1, 8, 16}, seed));
    }
    Problem large(random_rectangles(1023, 2077, count, 9), {1, 1, 8, 8}, 10);
    check_kernels<float>(large, expected_results(large), AttentionPlan<Space>(Space(), large.mask));
  }
}

}  // namespace
}  // namespace caesura::testing
