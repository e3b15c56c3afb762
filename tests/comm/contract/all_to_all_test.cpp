// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_to_all.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using Counts = std::function<std::int64_t(int from, int to)>;

template <class Value>
void exchange(const Communicator& communicator, const Counts& count, Lie from_lie, Lie to_lie) {
  const auto space = rank_space();
  const int rank = communicator.rank();
  std::vector<std::int64_t> send_rows, receive_rows;
  for (int peer = 0; peer < communicator.size(); ++peer) {
    send_rows.push_back(count(rank, peer));
    receive_rows.push_back(count(peer, rank));
  }
  const TestRows<Value> send(std::reduce(send_rows.begin(), send_rows.end()), 2, 3, from_lie);
  const TestRows<Value> receive(std::reduce(receive_rows.begin(), receive_rows.end()), 2, 3, to_lie);
  send.fill(rank);
  for (int repeat = 0; repeat < 2; ++repeat) {
    receive.erase();
    comm::all_to_all_v(space, communicator, send.view(), send_rows, receive.view(), receive_rows).wait();
    std::int64_t row = 0;
    for (int peer = 0; peer < communicator.size(); ++peer) {
      std::int64_t first = 0;
      for (int to = 0; to < rank; ++to) first += count(peer, to);
      for (std::int64_t i = 0; i < count(peer, rank); ++i, ++row) ASSERT_TRUE(receive.holds(row, peer, first + i));
    }
  }
  EXPECT_TRUE(receive.untouched_around());
}

template <class Value>
class AllToAll : public ::testing::Test {};
using Values = ::testing::Types<double, half, bfloat16, std::int8_t, Triple>;
TYPED_TEST_SUITE(AllToAll, Values);

TYPED_TEST(AllToAll, BringsRowsWithRemaindersWhateverTheLayout) {
  each_rank([](const Communicator& communicator) {
    for (const Lie from : all_lies)
      for (const Lie to : all_lies)
        exchange<TypeParam>(
            communicator, [](int i, int j) { return (5 * i + 3 * j) % 7; }, from, to);
  });
}

TYPED_TEST(AllToAll, TakesEmptyContributionsAndOneRankWithEverything) {
  each_rank([](const Communicator& communicator) {
    for (const Lie lie : {Lie::right, Lie::left}) {
      exchange<TypeParam>(
          communicator, [](int, int) { return 0; }, lie, lie);
      for (int owner = 0; owner < communicator.size(); ++owner) {
        exchange<TypeParam>(
            communicator, [=](int from, int) { return from == owner ? 9 : 0; }, lie, lie);
        exchange<TypeParam>(
            communicator, [=](int, int to) { return to == owner ? 9 : 0; }, lie, lie);
      }
    }
  });
}

TEST(AllToAll, MovesMessagesOfAllSizes) {
  each_rank([](const Communicator& communicator) {
    for (const std::int64_t rows : {1, 170, 171, 3000})
      exchange<float>(
          communicator, [&](int from, int to) { return rows + from - to + 8; }, Lie::right, Lie::right);
  });
}

}  // namespace
}  // namespace caesura::testing
