// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;

/// The world's rank of each rank of \p part, by asking them.
std::vector<int> members(const Communicator& world, const Communicator& part) {
  const Kokkos::View<int[1], Kokkos::HostSpace> own("own");
  own(0) = world.rank();
  const Kokkos::View<int*, Kokkos::HostSpace> all("all", static_cast<std::size_t>(part.size()));
  comm::all_gather(rank_space(), part, own, all).wait();
  return {all.data(), all.data() + all.size()};
}

TEST(Split, GroupsByColorAndOrdersByKeyThenRank) {
  each_rank([](const Communicator& communicator) {
    const int rank = communicator.rank(), size = communicator.size();
    std::vector<int> expected;
    for (int peer = size; peer-- > 0;)
      if (peer % 2 == rank % 2) expected.push_back(peer);
    const Communicator reversed = communicator.split(rank % 2, -rank);
    EXPECT_EQ(members(communicator, reversed), expected);
    EXPECT_EQ(expected[static_cast<std::size_t>(reversed.rank())], rank);
    EXPECT_EQ(reversed.transport(), communicator.transport());

    expected.clear();
    for (int peer = 0; peer < size; ++peer) expected.push_back(peer);
    EXPECT_EQ(members(communicator, communicator.split(17)), expected) << "equal keys: the order of ranks";
  });
}

TEST(Split, GivesNoCommunicatorForANegativeColor) {
  each_rank([](const Communicator& communicator) {
    const Communicator part = communicator.split(communicator.rank() == 0 ? -1 : 3);
    EXPECT_EQ(part.valid(), communicator.rank() != 0);
    EXPECT_EQ(part.valid() ? part.size() : communicator.size() - 1, communicator.size() - 1);
  });
}

TEST(Split, KeepsTheTrafficOfCommunicatorsApart) {
  const auto body = [](const Communicator& communicator) {
    const auto space = rank_space();
    const int rank = communicator.rank(), size = communicator.size();
    const Communicator twin = communicator.split(0), half_of_it = twin.split(rank * 2 / size),
                       alone = half_of_it.split(half_of_it.rank());
    EXPECT_EQ(alone.size(), 1);
    const Kokkos::View<int*, Kokkos::HostSpace> own("own", 3000);
    Kokkos::deep_copy(rank_space(), own, rank);
    std::vector<Kokkos::View<int*, Kokkos::HostSpace>> receive;
    std::vector<comm::Request> requests;
    // Started in one order on some ranks, in another on others: different communicators do not wait for each other.
    const Communicator* all[] = {&communicator, &twin, &half_of_it, &alone};
    for (int i = 0; i < 4; ++i) {
      const Communicator& part = *all[rank % 2 ? i : 3 - i];
      receive.emplace_back("receive", 3000 * static_cast<std::size_t>(part.size()));
      requests.push_back(comm::all_gather(space, part, own, receive.back()));
    }
    for (comm::Request& request : requests) request.wait();
    for (int i = 0; i < 4; ++i) {
      const Communicator& part = *all[rank % 2 ? i : 3 - i];
      const int first = &part == &alone ? rank : &part == &half_of_it ? rank - half_of_it.rank() : 0;
      const auto& got = receive[static_cast<std::size_t>(i)];
      for (std::size_t at = 0; at < got.size(); ++at) ASSERT_EQ(got(at), first + static_cast<int>(at / 3000));
    }
  };
  each_rank(body, {.checks = comm::Checks::off});  // checks make starts wait: then all need one order
}

}  // namespace
}  // namespace caesura::testing
