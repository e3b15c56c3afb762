// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

#include <limits>

// Short, middle and long documents in one call, as packs have them: kernels may take each in another way.

namespace caesura::testing {
namespace {

using Lengths = std::vector<std::int64_t>;
const Lengths all_lengths = {700, 20, 300, 0, 310, 1, 260, 120, 290, 5, 300, 230, 280, 64};

std::vector<NamedMask> masks() {
  const Documents documents = Documents::from_lengths(all_lengths);
  const Lengths other_keys = {650, 50, 270, 30, 330, 0, 240, 129, 300, 9, 1, 257, 290, 1};
  return {{"causal", Mask::from_documents(documents)},
          {"layers", Mask::from_documents(documents, {.window = {100, 0}, .prefix = 9})},
          {"cross", Mask::from_documents(Documents::from_lengths(all_lengths, other_keys))}};
}

class AllLengths : public ::testing::TestWithParam<NamedMask> {};

TEST_P(AllLengths, AgreeWithTheReference) { check_all_scalars(Problem(GetParam().mask, {4, 2, 16, 24}, 41)); }

TEST_P(AllLengths, WithOptions) {
  Problem problem(GetParam().mask, {2, 2, 20, 8}, 42);
  problem.add_sink(1, 43);
  problem.options.softcap = 3;
  problem.options.dropout = {0.2, 44, 45};
  check_all_scalars(problem);
}

INSTANTIATE_TEST_SUITE_P(Masks, AllLengths, ::testing::ValuesIn(masks()),
                         [](const auto& test) { return test.param.name; });

template <class Scalar>
class SpecialValues : public ::testing::Test {
 protected:
  /// In the third document, whose last rows fill no block.
  static constexpr std::int64_t begin = 720, row = 850, end = 1020;

  static Problem problem() { return {masks().front().mask, {2, 1, 16, 16}, 46}; }

  static void check(const Problem& problem) {
    const AttentionPlan<Space> plan(Space(), problem.mask);
    const Results expected = expected_results(problem);
    for (const std::string& name : kernel_names(scalar_type_v<Scalar>)) {
      DeviceCase<Scalar> device(problem);
      device.options.variant = name;
      device.forward(Space(), plan);
      device.backward(Space(), plan);
      Space().fence();
      Results got = device.download();
      got.row_max = expected.row_max;  // the largest of the others: a NaN is not compared
      expect_close(problem, expected, got, scalar_type_v<Scalar>, scalar_type_v<Scalar>, name);
    }
  }
};
TYPED_TEST_SUITE(SpecialValues, AllScalars);

TYPED_TEST(SpecialValues, NansReachThoseWhoSeeThem) {
  for (reference::Tensor Problem::*const tensor : {&Problem::q, &Problem::k, &Problem::v, &Problem::dout}) {
    Problem problem = this->problem();
    (problem.*tensor)(this->row, 0, 3) = std::numeric_limits<double>::quiet_NaN();
    this->check(problem);
  }
}

TYPED_TEST(SpecialValues, AKeyOfNoWeightHasNoGradient) {
  Problem problem = this->problem();
  problem.k(this->row, 0, 3) = std::numeric_limits<double>::infinity();
  for (std::int64_t i = this->begin; i < this->end; ++i) {
    for (const std::int64_t head : {0, 1}) problem.q(i, head, 3) = -1;
  }
  this->check(problem);
}

}  // namespace
}  // namespace caesura::testing
