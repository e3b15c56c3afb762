// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/placement_advice.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <set>

namespace caesura::comm {
namespace {

using Units = std::vector<int>;

/// Packages with a NUMA node each; a core has units c and c + all cores.
HostTopology machine_of(const std::vector<int>& cores_of_node) {
  HostTopology machine;
  int cores = 0;
  for (const int count : cores_of_node) cores += count;
  int core = 0;
  for (std::size_t node = 0; node < cores_of_node.size(); ++node) {
    for (int i = 0; i < cores_of_node[node]; ++i, ++core) {
      machine.cores.push_back(
          {.units = {core, core + cores}, .package = static_cast<int>(node), .numa_node = static_cast<int>(node)});
    }
  }
  machine.packages = machine.numa_nodes = static_cast<int>(cores_of_node.size());
  for (int unit = 0; unit < 2 * cores; ++unit) machine.allowed_units.push_back(unit);
  machine.allowed_processors = 2 * cores;
  return machine;
}

TEST(PlacementAdvice, OneRankForEachNumaNodeByDefault) {
  const PlacementAdvice advice = placement_advice(machine_of({4, 4}));
  EXPECT_EQ(advice.threads, 4);
  ASSERT_EQ(advice.ranks.size(), 2u);
  EXPECT_EQ(advice.ranks[0].units, (Units{0, 1, 2, 3}));
  EXPECT_EQ(advice.ranks[1].units, (Units{4, 5, 6, 7}));
  EXPECT_EQ(advice.ranks[1].numa_node, 1);
  EXPECT_EQ(advice.open_mpi, "--map-by ppr:1:numa:pe=4 --bind-to core");
  EXPECT_EQ(advice.mpich, "-ppn 2 -bind-to user:0+1+2+3,4+5+6+7");
  EXPECT_TRUE(advice.notes.empty()) << advice.text();
}

TEST(PlacementAdvice, TextNamesCoresEnvironmentAndLaunchers) {
  EXPECT_EQ(placement_advice(machine_of({4, 4})).text(),
            "2 ranks of 4 threads\n"
            "  local rank 0: units 0-3, package 0, NUMA node 0\n"
            "  local rank 1: units 4-7, package 1, NUMA node 1\n"
            "environment: OMP_NUM_THREADS=4 OMP_PROC_BIND=close OMP_PLACES=cores\n"
            "Open MPI: mpirun --map-by ppr:1:numa:pe=4 --bind-to core\n"
            "MPICH: mpiexec -ppn 2 -bind-to user:0+1+2+3,4+5+6+7\n");
}

TEST(PlacementAdvice, RanksShareNoCoreAndStraddleNoNode) {
  for (const std::vector<int>& nodes : {std::vector<int>{8}, {4, 4}, {6, 2}, {3, 3, 3}, {5, 4, 3, 4}}) {
    const HostTopology machine = machine_of(nodes);
    for (int ranks = 1; ranks <= static_cast<int>(machine.cores.size()); ++ranks) {
      const PlacementAdvice advice = placement_advice(machine, ranks);
      ASSERT_EQ(advice.ranks.size(), static_cast<std::size_t>(ranks));
      EXPECT_GE(advice.threads, 1);
      std::set<int> used;
      for (const RankCores& rank : advice.ranks) {
        EXPECT_EQ(rank.units.size(), static_cast<std::size_t>(advice.threads)) << advice.text();
        for (const int unit : rank.units) EXPECT_TRUE(used.insert(unit).second) << advice.text();
        if (ranks >= machine.numa_nodes) {
          EXPECT_GE(rank.numa_node, 0) << advice.text();
        }
      }
    }
  }
}

TEST(PlacementAdvice, FewerRanksThanNodesGetWholeOnes) {
  const PlacementAdvice advice = placement_advice(machine_of({2, 2, 2, 2}), 2);
  EXPECT_EQ(advice.threads, 4);
  EXPECT_EQ(advice.ranks[1].units, (Units{4, 5, 6, 7}));
  EXPECT_EQ(advice.ranks[1].numa_node, -1);
  EXPECT_EQ(advice.open_mpi, "--map-by ppr:2:node:pe=4 --bind-to core");
  ASSERT_EQ(advice.notes.size(), 1u);
  EXPECT_NE(advice.notes[0].find("span NUMA nodes"), std::string::npos);
}

TEST(PlacementAdvice, UsesOnlyWhatIsAllowed) {
  HostTopology machine = machine_of({4, 4});
  machine.allowed_units = {2, 3, 13};  // 13 is the second thread of core 5
  machine.allowed_processors = 3;
  const PlacementAdvice advice = placement_advice(machine, 3);
  EXPECT_EQ(advice.ranks[0].units, Units{2});
  EXPECT_EQ(advice.ranks[1].units, Units{3});
  EXPECT_EQ(advice.ranks[2].units, Units{13});
}

TEST(PlacementAdvice, ControlGroupsLimitThreads) {
  HostTopology machine = machine_of({8});
  machine.allowed_processors = 4;
  const PlacementAdvice advice = placement_advice(machine, 2);
  EXPECT_EQ(advice.threads, 2);
  EXPECT_NE(advice.text().find("note: control groups grant 4 processors of 16"), std::string::npos) << advice.text();
  EXPECT_NE(advice.text().find("note: 4 cores stay idle"), std::string::npos) << advice.text();
}

TEST(PlacementAdvice, MoreRanksThanCoresAreNotBound) {
  const PlacementAdvice advice = placement_advice(machine_of({2}), 5);
  EXPECT_EQ(advice.threads, 1);
  EXPECT_EQ(advice.ranks.size(), 5u);
  EXPECT_EQ(advice.open_mpi, "--map-by ppr:5:node --oversubscribe --bind-to none");
  EXPECT_NE(advice.text().find("note: 5 ranks share 2 cores"), std::string::npos);
}

TEST(PlacementAdvice, RefusesNegativeCounts) {
  caesura::testing::expect_invalid({"placement_advice: ranks = -1: must not be negative"},
                                   [] { placement_advice(machine_of({2}), -1); });
}

TEST(PlacementAdvice, OfThisMachineIsThere) { EXPECT_GE(placement_advice(host_topology()).threads, 1); }

}  // namespace
}  // namespace caesura::comm
