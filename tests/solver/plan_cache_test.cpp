// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/plan_cache.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

namespace caesura::solver {
namespace {

Mask documents(std::int64_t length) { return Mask::from_documents(Documents::from_lengths({length, 30})); }

TEST(PlanCache, TheSameProblemIsSolvedOnce) {
  PlanCache cache;
  const Cluster cluster = {.ranks = 4};
  const auto first = cache.get(documents(50), cluster);
  EXPECT_EQ(first->hash(), solve(documents(50), cluster).hash());
  EXPECT_EQ(cache.get(documents(50), cluster), first);  // an equal mask, not the same object
  EXPECT_EQ(cache.hits(), 1u);
  EXPECT_EQ(cache.misses(), 1u);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(PlanCache, EverythingThatAPlanDependsOnTellsProblemsApart) {
  PlanCache cache;
  const Cluster cluster = {.ranks = 4, .ranks_per_node = 2};
  Cluster slower = cluster;
  slower.across_nodes.bytes_per_second /= 2;
  Options smaller;
  smaller.layer.dim_v = 64;
  cache.get(documents(50), cluster);
  cache.get(documents(51), cluster);
  cache.get(documents(50), slower);
  cache.get(documents(50), cluster, smaller);
  cache.get(documents(50), cluster, {.exchange = ExchangeKind::ring});
  cache.get(documents(50), cluster, {.passes = {.forward = 1, .backward = 1}});
  EXPECT_EQ(cache.misses(), 6u);
  EXPECT_EQ(cache.size(), 6u);
}

TEST(PlanCache, TheLeastRecentlyUsedPlanIsDropped) {
  PlanCache cache(2);
  const Cluster cluster = {.ranks = 2};
  const auto first = cache.get(documents(10), cluster);
  cache.get(documents(11), cluster);
  cache.get(documents(10), cluster);
  cache.get(documents(12), cluster);  // drops 11
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.get(documents(10), cluster), first);
  EXPECT_EQ(cache.misses(), 3u);
  cache.get(documents(11), cluster);
  EXPECT_EQ(cache.misses(), 4u);
}

TEST(PlanCache, PlansOutliveTheirCache) {
  std::shared_ptr<const Plan> plan;
  {
    PlanCache cache(1);
    plan = cache.get(documents(10), {.ranks = 2});
    cache.clear();
    EXPECT_EQ(cache.size(), 0u);
    EXPECT_NE(cache.get(documents(10), {.ranks = 2}), plan);
  }
  EXPECT_EQ(plan->mask(), documents(10));
}

TEST(PlanCache, ASolveThatFailsLeavesNothingBehind) {
  PlanCache cache;
  const Mask nothing = Mask::from_slices(10, 10, {});
  for (int i = 0; i < 3; ++i) EXPECT_THROW(cache.get(nothing, {.ranks = 2}), Error);
  testing::expect_invalid({"PlanCache::get: ranks = 0: must be at least 1"},
                          [&] { cache.get(documents(10), {.ranks = 0}); });
  testing::expect_invalid({"PlanCache::get: tolerance = nan: must be from 0 to 1"}, [&] {
    cache.get(documents(10), {.ranks = 2}, {.tolerance = std::numeric_limits<double>::quiet_NaN()});
  });
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_NO_THROW(cache.get(documents(10), {.ranks = 2}));
}

TEST(PlanCache, ItNeedsRoomForAPlan) {
  testing::expect_invalid({"PlanCache: capacity = 0: must be at least 1"}, [] { PlanCache cache(0); });
}

/// Runs \p work(i) on \p count threads that begin together.
template <class Work>
void on_threads(int count, const Work& work) {
  std::atomic<int> waiting = count;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      --waiting;
      while (waiting > 0) std::this_thread::yield();
      work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(PlanCache, ThreadsThatAskForOneNewPlanWaitForOneSolve) {
  for (int round = 0; round < 20; ++round) {
    PlanCache cache;
    const Mask mask = documents(500 + round);
    std::vector<std::shared_ptr<const Plan>> plans(8);
    on_threads(8, [&](int i) { plans[static_cast<std::size_t>(i)] = cache.get(mask, {.ranks = 16}); });
    EXPECT_EQ(cache.misses(), 1u) << "round " << round;
    EXPECT_EQ(cache.hits(), 7u) << "round " << round;
    for (const auto& plan : plans) EXPECT_EQ(plan, plans[0]) << "round " << round;
  }
}

TEST(PlanCache, EveryThreadHearsOfAFailure) {
  PlanCache cache;
  const Mask nothing = Mask::from_slices(10, 10, {});
  std::atomic<int> failures = 0;
  on_threads(8, [&](int) {
    try {
      cache.get(nothing, {.ranks = 2});
    } catch (const Error&) {
      ++failures;
    }
  });
  EXPECT_EQ(failures, 8);
}

TEST(PlanCache, ThreadsThatCrowdEachOtherOut) {
  PlanCache cache(3);
  std::atomic<int> wrong = 0;
  on_threads(4, [&](int thread) {
    for (int i = 0; i < 200; ++i) {
      const Mask mask = documents(20 + (i * 7 + thread) % 6);
      if (cache.get(mask, {.ranks = 2})->mask() != mask) ++wrong;
      if (i % 50 == 49) cache.clear();
      if (cache.size() > cache.capacity()) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cache.hits() + cache.misses(), 800u);
}

}  // namespace
}  // namespace caesura::solver
