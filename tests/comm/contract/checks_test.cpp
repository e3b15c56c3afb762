// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/comm/row_exchange.hpp>
#include <support/errors.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace caesura::testing {
namespace {

using comm::Checks;
using comm::Communicator;
using Ints = Kokkos::View<int*, Kokkos::HostSpace>;
using Counts = std::vector<std::int64_t>;

template <class Body>
void each_checked_rank(const Body& body) {
  each_rank(
      [&](const Communicator& communicator) {
        if (communicator.size() > 1) body(communicator);
      },
      {.checks = Checks::on});
}

template <class Call>
void expect_disagreement(std::initializer_list<std::string_view> parts, const Call& call) {
  expect_error(ErrorKind::communication, parts, call);
}

TEST(Checks, FindACountThatDiffersBeforeDataMovesAndTellEveryRank) {
  each_checked_rank([](const Communicator& communicator) {
    const auto size = static_cast<std::size_t>(communicator.size());
    Counts send(size, 2), receive(size, 2);
    if (communicator.rank() == 1) receive[0] = 3;  // of 4 bytes
    Ints from("from", 2 * size), to("to", 2 * size + (communicator.rank() == 1 ? 1 : 0));
    Kokkos::deep_copy(rank_space(), from, 1);
    expect_disagreement({"all_to_all_v: rank 0 sends 8 bytes to rank 1, which expects 12: they must be the same"},
                        [&] { comm::all_to_all_v(rank_space(), communicator, from, send, to, receive).wait(); });
    for (std::size_t i = 0; i < to.size(); ++i) ASSERT_EQ(to(i), 0) << "data moved";
    // Nothing is lost: the ranks go on.
    Kokkos::View<int[1], Kokkos::HostSpace> one("one");
    one(0) = 1;
    comm::all_reduce(rank_space(), communicator, one, one).wait();
    EXPECT_EQ(one(0), communicator.size());
  });
}

TEST(Checks, FindRanksThatCallDifferentOperations) {
  each_checked_rank([](const Communicator& communicator) {
    const auto size = static_cast<std::size_t>(communicator.size());
    const Ints from("from", size), to("to", size);
    expect_disagreement(
        {"rank 0 calls ring_shift as operation 1, rank 1 calls barrier as operation 1: all ranks must call "
         "the same operations in the same order"},
        [&] {
          if (communicator.rank() == 0) {
            comm::ring_shift(rank_space(), communicator, from, to).wait();
          } else {
            comm::barrier(communicator).wait();
          }
        });
  });
}

TEST(Checks, FindRowsOfDifferentSizes) {
  each_checked_rank([](const Communicator& communicator) {
    const auto size = static_cast<std::size_t>(communicator.size());
    const std::size_t rows = communicator.rank() == 0 ? 1 : 2, width = communicator.rank() == 0 ? 4 : 2;
    const Kokkos::View<int**, Kokkos::HostSpace> from("from", rows, width), to("to", rows * size, width);
    expect_disagreement({"all_gather: rank 0 has rows of 16 bytes, rank 1 of 8 bytes: they must be the same"},
                        [&] { comm::all_gather(rank_space(), communicator, from, to).wait(); });
  });
}

TEST(Checks, AllowRanksThatHaveNothing) {
  each_checked_rank([](const Communicator& communicator) {
    const auto size = static_cast<std::size_t>(communicator.size());
    const Ints none, all("all", 5);
    const Ints five("five", 5);
    Counts rows(size, 0);
    rows[0] = 5;
    comm::all_gather_v(rank_space(), communicator, communicator.rank() == 0 ? five : none, all, rows).wait();
    const Communicator part = communicator.split(communicator.rank() % 2);
    comm::barrier(part).wait();
    comm::RowExchange nothing(communicator, {});
    nothing.start(rank_space(), none, none).wait();
  });
}

TEST(Checks, AreNotCountedAsTraffic) {
  each_checked_rank([](const Communicator& communicator) {
    const Ints from("from", 10), to("to", 10);
    comm::barrier(communicator).wait();
    comm::ring_shift(rank_space(), communicator, from, to).wait();
    EXPECT_EQ(communicator.bytes_sent(), 40);
    EXPECT_EQ(communicator.bytes_received(), 40);
  });
}

}  // namespace
}  // namespace caesura::testing
