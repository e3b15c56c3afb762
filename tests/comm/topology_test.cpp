// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/in_process.hpp>
#include <caesura/comm/topology.hpp>
#include <caesura/host_topology.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace caesura::comm {
namespace {

using Places = std::vector<RankPlace>;

/// How often a ring leaves a node, a package of the same node, a cache of the same package.
std::array<int, 3> crossings(const Places& places, const std::vector<int>& order) {
  std::array<int, 3> count = {};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const RankPlace& from = places[static_cast<std::size_t>(order[i])];
    const RankPlace& to = places[static_cast<std::size_t>(order[(i + 1) % order.size()])];
    if (from.node != to.node) {
      ++count[0];
    } else if (from.package != to.package) {
      ++count[1];
    } else if (from.cache != to.cache) {
      ++count[2];
    }
  }
  return count;
}

TEST(Topology, NumbersNodesByFirstRank) {
  const Topology topology(Places{{.node = 7}, {.node = 3}, {.node = 7}, {.node = 1}});
  EXPECT_EQ(topology.nodes(), 3);
  EXPECT_EQ(topology.node(0), 0);
  EXPECT_EQ(topology.node(1), 1);
  EXPECT_EQ(topology.node(3), 2);
  EXPECT_EQ(topology.ranks_of_node(0), (std::vector<int>{0, 2}));
  EXPECT_EQ(topology.leader(0), 0);
  EXPECT_EQ(topology.leader(2), 3);
  EXPECT_EQ(topology.local_rank(2), 1);
  EXPECT_EQ(topology.local_rank(3), 0);
  EXPECT_EQ(topology.ranks_per_node(), 2);
  EXPECT_FALSE(topology.regular());
  EXPECT_TRUE(topology.share_node(0, 2));
  EXPECT_FALSE(topology.share_node(0, 1));
}

TEST(Topology, IsRegularOnlyIfNodesAreEqualAndStandTogether) {
  EXPECT_TRUE(Topology(Places{{.node = 0}, {.node = 0}, {.node = 1}, {.node = 1}}).regular());
  EXPECT_FALSE(Topology(Places{{.node = 0}, {.node = 1}, {.node = 0}, {.node = 1}}).regular());
  EXPECT_FALSE(Topology(Places{{.node = 0}, {.node = 0}, {.node = 1}}).regular());
  EXPECT_TRUE(Topology(Places{{.node = 0}}).regular());
}

TEST(Topology, UnknownPackagesAreNotShared) {
  const Topology topology(Places{{.node = 0, .package = 1, .cache = 2},
                                 {.node = 0, .package = 1, .cache = 3},
                                 {.node = 0, .package = -1},
                                 {.node = 0, .package = -1},
                                 {.node = 1, .package = 1, .cache = 2}});
  EXPECT_TRUE(topology.share_package(0, 1));
  EXPECT_FALSE(topology.share_cache(0, 1));
  EXPECT_FALSE(topology.share_package(2, 3));
  EXPECT_TRUE(topology.share_package(2, 2));
  EXPECT_FALSE(topology.share_package(0, 4)) << "numbers are of a node";
}

TEST(Topology, RingOrderLeavesNodesPackagesAndCachesLeastOften) {
  const unsigned seed = 20261122;
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const int ranks = 1 + static_cast<int>(random() % 7);
    Places places;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto number = [&](unsigned limit) { return static_cast<int>(random() % limit); };
      const int package = number(3) - 1;
      places.push_back({.node = number(3), .package = package, .cache = package < 0 ? -1 : 2 * package + number(2)});
    }
    const Topology topology(places);
    const std::vector<int> order = topology.ring_order();
    EXPECT_EQ(order.front(), 0);
    std::vector<int> each(static_cast<std::size_t>(ranks));
    for (int rank = 0; rank < ranks; ++rank) each[static_cast<std::size_t>(rank)] = rank;
    ASSERT_TRUE(std::is_permutation(order.begin(), order.end(), each.begin(), each.end()));
    std::array<int, 3> best = crossings(places, each);
    while (std::next_permutation(each.begin() + 1, each.end())) best = std::min(best, crossings(places, each));
    EXPECT_EQ(crossings(places, order), best) << "seed " << seed << ", round " << round << ", ranks " << ranks;
  }
}

TEST(Topology, RanksOfOneProcessAreOneNode) {
  for (const int ranks : {1, 2, 5}) {
    run_in_process(ranks, [&](const Communicator& communicator) {
      const Topology topology(communicator);
      EXPECT_EQ(topology.ranks(), ranks);
      EXPECT_EQ(topology.nodes(), 1);
      EXPECT_EQ(topology.ranks_per_node(), ranks);
      EXPECT_TRUE(topology.regular());
      EXPECT_EQ(topology.local_rank(communicator.rank()), communicator.rank());
      EXPECT_EQ(topology.host(0), host_topology().host);
      EXPECT_EQ(static_cast<int>(topology.ring_order().size()), ranks);
    });
  }
}

TEST(Topology, OfPartOfTheRanksHasTheirNumbers) {
  run_in_process(4, [](const Communicator& communicator) {
    const Topology topology(communicator.split(communicator.rank() % 2));
    EXPECT_EQ(topology.ranks(), 2);
    EXPECT_EQ(topology.ranks_of_node(0), (std::vector<int>{0, 1}));
  });
}

TEST(Topology, SaysWhichRankOrNodeThereIsNot) {
  const Topology topology(Places{{.node = 0}, {.node = 1}});
  caesura::testing::expect_invalid({"Topology: rank = 2: must be at least 0 and below 2"}, [&] { topology.node(2); });
  caesura::testing::expect_invalid({"Topology: rank = -1"}, [&] { topology.local_rank(-1); });
  caesura::testing::expect_invalid({"Topology: node = 2: must be at least 0 and below 2"}, [&] { topology.leader(2); });
  caesura::testing::expect_invalid({"Topology: places = {}"}, [&] { Topology(Places{}); });
}

}  // namespace
}  // namespace caesura::comm
