// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;

template <class Value>
void gather_unequal(const Communicator& communicator, const std::vector<std::int64_t>& rows, Lie from, Lie to) {
  const auto space = rank_space();
  const std::int64_t own = rows[static_cast<std::size_t>(communicator.rank())];
  const std::int64_t sum = std::accumulate(rows.begin(), rows.end(), std::int64_t{0});
  const TestRows<Value> send(own, 3, 5, from), receive(sum, 3, 5, to);
  send.fill(communicator.rank());
  for (int repeat = 0; repeat < 2; ++repeat) {
    receive.erase();
    comm::all_gather_v(space, communicator, send.view(), receive.view(), rows).wait();
    std::int64_t row = 0;
    for (std::size_t rank = 0; rank < rows.size(); ++rank)
      for (std::int64_t i = 0; i < rows[rank]; ++i, ++row)
        ASSERT_TRUE(receive.holds(row, static_cast<std::int64_t>(rank), i)) << "lies " << int(from) << int(to);
  }
  EXPECT_TRUE(receive.untouched_around());
}

template <class Value>
class AllGather : public ::testing::Test {};
using Values = ::testing::Types<double, half, bfloat16, std::int8_t, Triple>;
TYPED_TEST_SUITE(AllGather, Values);

TYPED_TEST(AllGather, BringsEveryRanksRowsInOrderWhateverTheLayout) {
  each_rank([](const Communicator& communicator) {
    std::vector<std::int64_t> rows;
    for (int rank = 0; rank < communicator.size(); ++rank) rows.push_back(3 + rank * 2 % 5);
    for (const Lie from : all_lies)
      for (const Lie to : all_lies) gather_unequal<TypeParam>(communicator, rows, from, to);
  });
}

TYPED_TEST(AllGather, TakesEmptyContributionsAndOneRankWithEverything) {
  each_rank([](const Communicator& communicator) {
    const auto size = static_cast<std::size_t>(communicator.size());
    for (const Lie lie : {Lie::right, Lie::strided}) {
      gather_unequal<TypeParam>(communicator, std::vector<std::int64_t>(size, 0), lie, lie);
      for (std::size_t owner = 0; owner < size; ++owner) {
        std::vector<std::int64_t> rows(size, 0);
        rows[owner] = 7;
        gather_unequal<TypeParam>(communicator, rows, lie, lie);
      }
    }
  });
}

TEST(AllGather, OfEqualRowsTakesVectorsAndManyRows) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    for (const std::size_t rows : {0, 1, 3, 1000, 70'001}) {
      const auto size = static_cast<std::size_t>(communicator.size()),
                 rank = static_cast<std::size_t>(communicator.rank());
      const Kokkos::View<int*, Kokkos::HostSpace> send("send", rows), receive("receive", rows * size);
      for (std::size_t i = 0; i < rows; ++i) send(i) = static_cast<int>(rank * 100'000 + i);
      comm::all_gather(space, communicator, send, receive).wait();
      for (std::size_t i = 0; i < receive.size(); ++i)
        ASSERT_EQ(receive(i), static_cast<int>(i / rows * 100'000 + i % rows)) << rows << " rows";
    }
  });
}

TEST(AllGather, WorksInPlace) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    for (const Lie lie : {Lie::right, Lie::padded}) {
      const TestRows<float> all(communicator.size() * 4, 2, 3, lie);
      const auto begin = static_cast<std::size_t>(communicator.rank() * 4);
      const auto own = Kokkos::subview(all.view(), Kokkos::make_pair(begin, begin + 4), Kokkos::ALL, Kokkos::ALL);
      for (std::int64_t row = 0; row < 4; ++row)
        for (std::int64_t i = 0; i < 6; ++i)
          all.at(static_cast<std::int64_t>(begin) + row, i) = mark<float>(communicator.rank(), row, i);
      comm::all_gather(space, communicator, own, all.view()).wait();
      for (std::int64_t row = 0; row < all.rows(); ++row) ASSERT_TRUE(all.holds(row, row / 4, row % 4));
      EXPECT_TRUE(all.untouched_around());
    }
  });
}

}  // namespace
}  // namespace caesura::testing
