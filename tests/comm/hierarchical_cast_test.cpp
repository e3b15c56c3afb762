// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/hierarchical_cast.hpp>
#include <caesura/comm/in_process.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <random>
#include <set>

namespace caesura::comm {
namespace {

using Host = Kokkos::DefaultHostExecutionSpace;
using Values = Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::HostSpace>;

constexpr std::size_t columns = 3;

/// What all ranks send; what each receives follows.
struct Cast {
  Topology topology;
  std::vector<GroupSplits> splits;  // by rank

  int ranks() const { return topology.ranks(); }
};

Topology topology_of(const std::vector<int>& nodes) {
  std::vector<RankPlace> places;
  for (const int node : nodes) places.push_back({.node = node});
  return Topology(places);
}

/// Fills in what is received: by source, or with the sources mixed.
void complete(Cast& cast, std::mt19937& random) {
  for (int rank = 0; rank < cast.ranks(); ++rank) {
    std::vector<std::vector<std::int64_t>> from(cast.splits.size());
    std::vector<int> sources;
    for (std::size_t source = 0; source < cast.splits.size(); ++source) {
      const GroupSplits& sent = cast.splits[source];
      for (std::size_t split = 0; split < sent.input_rows.size(); ++split) {
        const std::vector<int>& targets = sent.destinations[split];
        if (std::find(targets.begin(), targets.end(), rank) == targets.end()) continue;
        from[source].push_back(sent.input_rows[split]);
        sources.push_back(static_cast<int>(source));
      }
    }
    std::shuffle(sources.begin(), sources.end(), random);
    std::vector<std::size_t> next(from.size());
    GroupSplits& own = cast.splits[static_cast<std::size_t>(rank)];
    own.sources = sources;
    for (const int source : sources) {
      const auto at = static_cast<std::size_t>(source);
      own.output_rows.push_back(from[at][next[at]++]);
    }
  }
}

Cast random_cast(const std::vector<int>& nodes, std::mt19937& random) {
  Cast cast{topology_of(nodes), std::vector<GroupSplits>(nodes.size())};
  for (GroupSplits& splits : cast.splits) {
    for (unsigned split = random() % 8; split-- > 0;) {
      splits.input_rows.push_back(static_cast<std::int64_t>(random() % 5));
      std::vector<int>& targets = splits.destinations.emplace_back();
      for (int rank = 0; rank < cast.ranks(); ++rank) {
        if (random() % 2) targets.push_back(rank);
      }
    }
  }
  complete(cast, random);
  return cast;
}

std::size_t sum(const std::vector<std::int64_t>& rows) {
  return static_cast<std::size_t>(std::reduce(rows.begin(), rows.end()));
}

Values rows_of(int rank, std::size_t rows) {
  const Values values("rows", rows, columns);
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column)
      values(row, column) = 1000 * rank + static_cast<double>(row) + 0.1 * static_cast<double>(column);
  }
  return values;
}

bool equal(const Values& a, const Values& b) {
  return a.extent(0) == b.extent(0) && std::equal(a.data(), a.data() + a.size(), b.data());
}

/// How many rows have to enter nodes: each once for each node, other than its own, where somebody needs it.
std::int64_t least_entering(const Cast& cast) {
  std::int64_t rows = 0;
  for (int rank = 0; rank < cast.ranks(); ++rank) {
    const GroupSplits& splits = cast.splits[static_cast<std::size_t>(rank)];
    for (std::size_t split = 0; split < splits.input_rows.size(); ++split) {
      std::set<int> nodes;
      for (const int target : splits.destinations[split]) nodes.insert(cast.topology.node(target));
      nodes.erase(cast.topology.node(rank));
      rows += static_cast<std::int64_t>(nodes.size()) * splits.input_rows[split];
    }
  }
  return rows;
}

TEST(HierarchicalCast, BringsWhatGroupCastBringsAndEachRowOnceIntoANode) {
  const unsigned seed = 20261122;
  std::mt19937 random(seed);
  const std::vector<std::vector<int>> shapes = {
      {0}, {0, 0}, {0, 1}, {0, 0, 1, 1}, {0, 1, 0, 1}, {0, 0, 0, 1, 2}, {0, 0, 1, 1, 2, 2}};
  for (const std::vector<int>& nodes : shapes) {
    for (int round = 0; round < 6; ++round) {
      const Cast cast = random_cast(nodes, random);
      std::atomic<std::int64_t> entering = 0;
      run_in_process(cast.ranks(),
                     [&](const Communicator& communicator) {
                       const Host space;
                       const GroupSplits& splits = cast.splits[static_cast<std::size_t>(communicator.rank())];
                       const Values send = rows_of(communicator.rank(), sum(splits.input_rows));
                       const Values plain("plain", sum(splits.output_rows), columns);
                       const Values received("received", sum(splits.output_rows), columns);
                       group_cast(space, communicator, send, plain, splits).wait();
                       HierarchicalCast two_hops(communicator, cast.topology, splits);
                       entering += two_hops.entering_rows();
                       for (int repeat = 0; repeat < 3; ++repeat) {
                         Kokkos::deep_copy(received, -1.0);
                         two_hops.start(space, send, received).wait();
                         EXPECT_TRUE(equal(received, plain))
                             << "seed " << seed << ", round " << round << ", ranks " << cast.ranks() << ", rank "
                             << communicator.rank() << ", repeat " << repeat;
                       }
                     },
                     {{.checks = Checks::on}, {}});
      EXPECT_EQ(entering, least_entering(cast)) << "seed " << seed << ", round " << round;
    }
  }
}

TEST(HierarchicalCast, DealsEntriesEvenly) {
  Cast cast{topology_of({0, 1, 1, 1, 1}), std::vector<GroupSplits>(5)};
  for (int split = 0; split < 8; ++split) {
    cast.splits[0].input_rows.push_back(5);
    cast.splits[0].destinations.push_back({1, 2, 3, 4});
  }
  std::mt19937 random;
  complete(cast, random);
  run_in_process(5, [&](const Communicator& communicator) {
    const HierarchicalCast two_hops(communicator, cast.topology,
                                    cast.splits[static_cast<std::size_t>(communicator.rank())]);
    EXPECT_EQ(two_hops.entering_rows(), communicator.rank() == 0 ? 0 : 10);
    EXPECT_EQ(two_hops.forwarded_rows(), communicator.rank() == 0 ? 0 : 30);
  });
}

TEST(HierarchicalCast, OtherOperationsMayComeBetweenItsHops) {
  std::mt19937 random(7);
  const Cast cast = random_cast({0, 0, 1, 1}, random);
  run_in_process(4, [&](const Communicator& communicator) {
    const Host space;
    const int rank = communicator.rank();
    const GroupSplits& splits = cast.splits[static_cast<std::size_t>(rank)];
    const Values send = rows_of(rank, sum(splits.input_rows));
    const Values plain("plain", sum(splits.output_rows), columns);
    const Values received("received", sum(splits.output_rows), columns);
    const Values own = rows_of(rank, 2);
    const Values all("all", 8, columns);
    group_cast(space, communicator, send, plain, splits).wait();
    HierarchicalCast two_hops(communicator, cast.topology, splits);
    for (int repeat = 0; repeat < 20; ++repeat) {
      Request cast_request = two_hops.start(space, send, received);
      if (rank % 2) cast_request.test();  // some ranks are at the second hop before the gather begins, some after
      Request gather_request = all_gather(space, communicator, own, all);
      if (rank / 2) {
        gather_request.wait();
        cast_request.wait();
      } else {
        cast_request.wait();
        gather_request.wait();
      }
      EXPECT_TRUE(equal(received, plain)) << "rank " << rank;
      EXPECT_EQ(all(7, 0), 3001.0);
    }
  });
}

TEST(HierarchicalCast, SplitsMayBeCutDifferentlyWhereTheyArrive) {
  run_in_process(3, [](const Communicator& communicator) {
    const Host space;
    const int rank = communicator.rank();
    GroupSplits splits;
    if (rank == 0) splits = {.input_rows = {2, 3}, .destinations = {{1, 2}, {1, 2}}, .output_rows = {}, .sources = {}};
    if (rank == 1) splits = {.input_rows = {}, .destinations = {}, .output_rows = {5}, .sources = {0}};
    if (rank == 2) splits = {.input_rows = {}, .destinations = {}, .output_rows = {1, 3, 1}, .sources = {0, 0, 0}};
    const Values send = rows_of(rank, sum(splits.input_rows));
    const Values received("received", sum(splits.output_rows), columns);
    HierarchicalCast(communicator, topology_of({0, 1, 1}), splits).start(space, send, received).wait();
    if (rank > 0) {
      EXPECT_TRUE(equal(received, rows_of(0, 5))) << "rank " << rank;
    }
  });
}

TEST(HierarchicalCast, SaysWhatIsWrong) {
  run_in_process(1, [](const Communicator& communicator) {
    const GroupSplits splits{.input_rows = {2}, .destinations = {{0}}, .output_rows = {3}, .sources = {0}};
    caesura::testing::expect_invalid({"HierarchicalCast: output_rows: rank 0 names 1 rows more of rank 0"},
                                     [&] { HierarchicalCast(communicator, topology_of({0}), splits); });
    caesura::testing::expect_invalid({"HierarchicalCast: topology: ranks = 2: the communicator has 1"}, [&] {
      HierarchicalCast(communicator, topology_of({0, 0}), GroupSplits{});
    });
    HierarchicalCast nothing(communicator, topology_of({0}), GroupSplits{});
    const Values rows("rows", 2, columns), none("none", 0, columns);
    caesura::testing::expect_invalid({"HierarchicalCast: send.extent(0) = 2: must be 0"},
                                     [&] { nothing.start(Host(), rows, none).wait(); });
  });
}

}  // namespace
}  // namespace caesura::comm
