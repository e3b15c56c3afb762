// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

#include <array>

namespace caesura::testing {
namespace {

constexpr std::array<std::int64_t, 9> dims = {1, 8, 40, 64, 80, 96, 128, 192, 256};

struct Heads {
  std::int64_t q, kv;
};
constexpr std::array<Heads, 3> head_layouts = {{{2, 2}, {4, 2}, {3, 1}}};

class Attention : public ::testing::TestWithParam<NamedMask> {};

TEST_P(Attention, EveryHeadLayoutDimAndScalarAgreesWithTheReference) {
  std::uint64_t seed = 1;
  for (const Heads heads : head_layouts) {
    for (const std::int64_t dim : dims) {
      const Problem problem(GetParam().mask, {heads.q, heads.kv, dim, dim}, seed++);
      check_all_scalars(problem);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, Attention, ::testing::ValuesIn(kernel_masks()),
                         [](const auto& test) { return test.param.name; });

template <class Scalar>
class OneKey : public ::testing::Test {};
TYPED_TEST_SUITE(OneKey, AllScalars);

/// Its weight is 1, whatever the logit.
TYPED_TEST(OneKey, GivesItsValueExactly) {
  const Problem problem(Mask::from_documents(Documents::from_lengths({200, 3, 1}), {.window = {0, 0}}), {4, 2, 24, 24},
                        7);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  for (const std::string& name : kernel_names(scalar_type_v<TypeParam>, 24)) {
    for (const KeySteps steps : {KeySteps::tight, KeySteps::aligned}) {
      SCOPED_TRACE(name);
      DeviceCase<TypeParam> device(problem);
      device.options.variant = name;
      device.options.key_steps = steps;
      device.options.row_max = {};
      device.forward(Space(), plan);
      Space().fence();
      const reference::Tensor out = device.out.download(), v = device.v.download();
      for (std::int64_t row = 0; row < out.rows; ++row) {
        for (std::int64_t head = 0; head < out.heads; ++head) {
          for (std::int64_t i = 0; i < out.dim; ++i) ASSERT_EQ(out(row, head, i), v(row, head / 2, i)) << row;
        }
      }
    }
  }
}

}  // namespace
}  // namespace caesura::testing
