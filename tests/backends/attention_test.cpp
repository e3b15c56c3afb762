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

}  // namespace
}  // namespace caesura::testing
