// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/row_exchange.hpp>
#include <caesura/error.hpp>

#include <comm/contract/random.hpp>
#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using comm::RowBlock;
using comm::RowExchange;
using comm::RowTransfers;

/// Cuts [0, rows) at random places and deals the pieces.
std::vector<RowBlock> random_blocks(RandomNumbers& random, int peer, std::int64_t first, std::int64_t rows) {
  std::vector<RowBlock> blocks;
  for (std::int64_t at = 0; at < rows;) {
    const std::int64_t end = random.integer(at, rows);
    blocks.push_back({peer, first + at, first + end});
    at = end;
  }
  return blocks;
}

/// All ranks' lists, made alike on every rank: rows that go from i to j, cut in different ways on either side. A row may
/// go to several ranks, and rows between the blocks are not received into.
struct Problem {
  std::vector<RowTransfers> ranks;
  std::vector<std::int64_t> send_rows, receive_rows;
};

Problem random_problem(RandomNumbers& random, int size) {
  Problem problem;
  problem.ranks.resize(static_cast<std::size_t>(size));
  problem.receive_rows.assign(static_cast<std::size_t>(size), 0);
  for (int rank = 0; rank < size; ++rank) problem.send_rows.push_back(random.chance(0.2) ? 0 : random.integer(1, 60));
  for (int from = 0; from < size; ++from) {
    for (int to = 0; to < size; ++to) {
      const std::int64_t available = problem.send_rows[static_cast<std::size_t>(from)];
      std::int64_t rows = 0;
      for (std::int64_t blocks = random.chance(0.3) ? 0 : random.integer(1, 5); blocks > 0 && available > 0; --blocks) {
        const std::int64_t begin = random.integer(0, available), end = random.integer(begin, available);
        problem.ranks[static_cast<std::size_t>(from)].sends.push_back({to, begin, end});
        rows += end - begin;
      }
      std::int64_t& next = problem.receive_rows[static_cast<std::size_t>(to)];
      for (RowBlock block : random_blocks(random, from, 0, rows)) {
        const std::int64_t count = block.end - block.begin;
        if (random.chance(0.4)) next += random.integer(1, 3);  // a gap
        problem.ranks[static_cast<std::size_t>(to)].receives.push_back({from, next, next + count});
        next += count;
      }
    }
  }
  return problem;
}

/// (rank, row) that each received row must hold, row by row as the documentation says it; -1 where none comes.
std::vector<std::pair<int, std::int64_t>> oracle(const Problem& problem, int rank) {
  std::vector<std::pair<int, std::int64_t>> expected(
      static_cast<std::size_t>(problem.receive_rows[static_cast<std::size_t>(rank)]), {-1, 0});
  for (std::size_t from = 0; from < problem.ranks.size(); ++from) {
    std::vector<std::int64_t> rows;
    for (const RowBlock& block : problem.ranks[from].sends)
      for (std::int64_t row = block.begin; row < block.end && block.peer == rank; ++row) rows.push_back(row);
    std::size_t next = 0;
    for (const RowBlock& block : problem.ranks[static_cast<std::size_t>(rank)].receives)
      for (std::int64_t row = block.begin; row < block.end && block.peer == static_cast<int>(from); ++row)
        expected[static_cast<std::size_t>(row)] = {static_cast<int>(from), rows[next++]};
  }
  return expected;
}

template <class Value>
void check(const Communicator& communicator, const Problem& problem, Lie from, Lie to) {
  const auto space = rank_space();
  const auto rank = static_cast<std::size_t>(communicator.rank());
  RowExchange exchange(communicator, problem.ranks[rank]);
  const TestRows<Value> send(problem.send_rows[rank], 2, 3, from), receive(problem.receive_rows[rank], 2, 3, to);
  send.fill(communicator.rank());
  const auto expected = oracle(problem, communicator.rank());
  for (int repeat = 0; repeat < 2; ++repeat) {
    receive.erase();
    exchange.start(space, send.view(), receive.view()).wait();
    for (std::int64_t row = 0; row < receive.rows(); ++row) {
      const auto [source, source_row] = expected[static_cast<std::size_t>(row)];
      if (source < 0) {
        ASSERT_TRUE(receive.empty(row));
      } else {
        ASSERT_TRUE(receive.holds(row, source, source_row)) << "lies " << int(from) << int(to);
      }
    }
  }
  EXPECT_TRUE(receive.untouched_around());
}

TEST(RowExchange, AgreesWithTheListsRowByRowOnRandomProblems) {
  const std::uint64_t seed = test_seed(20261122);
  each_rank([&](const Communicator& communicator) {
    RandomNumbers random(seed);
    for (int i = 0; i < 40; ++i) {
      SCOPED_TRACE(text("seed ", seed, ", ", communicator.size(), " ranks, problem ", i));
      const Problem problem = random_problem(random, communicator.size());
      const Lie from = all_lies[random.integer(0, 3)], to = all_lies[random.integer(0, 3)];
      check<bfloat16>(communicator, problem, from, to);
      check<Triple>(communicator, problem, to, from);
      if (::testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(RowExchange, IsRestartedWithOtherViewsAndOtherRowSizes) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const int rank = communicator.rank(), size = communicator.size();
    RowTransfers transfers;  // the first and the last two rows to each, so that messages are packed
    for (int peer = 0; peer < size; ++peer) {
      transfers.sends.push_back({peer, 0, 2});
      transfers.sends.push_back({peer, 8, 10});
      transfers.receives.push_back({peer, peer * 5, peer * 5 + 4});
    }
    RowExchange exchange(communicator, transfers);
    const auto run = [&]<class Value>(Value, std::int64_t heads, std::int64_t dim, Lie lie) {
      const TestRows<Value> send(10, heads, dim, lie), receive(size * 5, heads, dim, lie);
      send.fill(rank);
      exchange.start(space, send.view(), receive.view()).wait();
      for (int peer = 0; peer < size; ++peer) {
        for (std::int64_t i = 0; i < 4; ++i) ASSERT_TRUE(receive.holds(peer * 5 + i, peer, i < 2 ? i : i + 6));
        ASSERT_TRUE(receive.empty(peer * 5 + 4));
      }
    };
    for (int repeat = 0; repeat < 3; ++repeat) {
      for (std::int64_t dim = 1; dim < 12; ++dim) {  // more than it keeps bindings for
        run(double{}, 2, dim, Lie::right);
        run(half{}, 1, 12 - dim, Lie::strided);
      }
    }
    EXPECT_GE(exchange.memory_bytes(), size > 1 ? 4 * 2 * 11 * 8 : 0) << "packed messages of the widest rows";
  });
}

TEST(SendReceive, MovesRowsOnce) {
  each_rank([](const Communicator& communicator) {
    const int rank = communicator.rank(), size = communicator.size();
    const TestRows<int> send(3, 1, 4), receive(6, 1, 4);
    send.fill(rank);
    const int next = (rank + 1) % size, last = (rank + size - 1) % size;
    comm::send_receive(rank_space(), communicator, send.view(), receive.view(),
                       {.sends = {{next, 1, 3}, {last, 0, 1}}, .receives = {{next, 5, 6}, {last, 1, 3}}})
        .wait();
    if (size > 2) {
      EXPECT_TRUE(receive.holds(5, next, 0));
      EXPECT_TRUE(receive.holds(1, last, 1));
      EXPECT_TRUE(receive.holds(2, last, 2));
    }
    EXPECT_TRUE(receive.empty(0));
    EXPECT_TRUE(receive.empty(4));
  });
}

}  // namespace
}  // namespace caesura::testing
