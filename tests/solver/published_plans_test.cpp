// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/plan.hpp>
#include <support/masks.hpp>
#include <support/plan_checker.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace caesura::solver {
namespace {

using testing::Depth;
using testing::NamedMask;
using testing::Violations;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::array<std::int32_t, 1> rank_counts = {4};
constexpr std::array slacks = {0.0};
#else
constexpr std::array<std::int32_t, 9> rank_counts = {1, 2, 3, 4, 5, 6, 7, 8, 9};
constexpr std::array slacks = {0.0, 0.05};
#endif

/// Every number of ranks, slack and exchange. Returns how many plans there were.
std::size_t check_all(const NamedMask& named, Dispatch dispatch_kind, Depth depth) {
  std::size_t plans = 0;
  for (const std::int32_t ranks : rank_counts) {
    // Nodes of one, two, three or all.
    const std::int32_t ranks_per_node = ranks % 3 == 0 ? 3 : ranks % 2 == 0 ? 2 : ranks % 5 == 0 ? 5 : 1;
    const Cluster cluster = {.ranks = ranks, .ranks_per_node = ranks_per_node};
    for (const double slack : slacks) {
      Options options = {.dispatch = dispatch_kind, .token_slack = slack};
      const std::string name =
          text(named.name, ", ", name_of(dispatch_kind), ", ", ranks, " ranks, slack ", slack, ", ");
      try {
        const Placement placement = dispatch(named.mask, cluster, options);
        for (const ExchangeKind kind : all_exchanges()) {
          options.exchange = kind;
          const Plan plan(named.mask, placement, cluster, options);
          const Violations found = testing::plan_violations(plan, depth);
          EXPECT_TRUE(found.empty()) << name << name_of(kind) << testing::joined(found);
          ++plans;
        }
      } catch (const Error& error) {
        ADD_FAILURE() << name << "throws: " << error.what();
      }
    }
  }
  return plans;
}

class PublishedPlans : public ::testing::TestWithParam<Dispatch> {
 protected:
  void expect_right(const NamedMask& named, Depth depth) {
    const std::size_t plans = rank_counts.size() * slacks.size() * all_exchanges().size();
    EXPECT_EQ(check_all(named, GetParam(), depth), plans) << named.name;
  }
};

TEST_P(PublishedPlans, PassTheCheckerPairByPair) {
  for (const NamedMask& named : testing::published_masks(16)) expect_right(named, Depth::exhaustive);
}

TEST_P(PublishedPlans, PassTheCheckerAtTheirFullSize) {
  for (const NamedMask& named : testing::published_masks(1)) expect_right(named, Depth::fast);
}

TEST_P(PublishedPlans, RandomRectanglesPassTheChecker) {
  for (const std::int64_t count : {10, 100, 1000}) {
    for (const auto& [total_q, total_k] : {std::pair<std::int64_t, std::int64_t>{513, 123}, {1023, 2077}}) {
      const std::string name = text("rectangles_", count, "_on_", total_q, "x", total_k);
      expect_right({name, testing::random_rectangles(total_q, total_k, count, 1)}, Depth::fast);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AllDispatches, PublishedPlans,
                         ::testing::ValuesIn(all_dispatches().begin(), all_dispatches().end()),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

}  // namespace
}  // namespace caesura::solver
