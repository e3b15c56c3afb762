// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/group.hpp>
#include <caesura/comm/in_process.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/comm/row_exchange.hpp>
#include <support/count_allocations.hpp>

#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using Operation = std::function<void()>;

/// Runs each operation on 3 ranks a few times; after the first times nothing may be allocated.
void expect_no_allocation(
    const std::function<std::vector<Operation>(const Kokkos::Serial&, const Communicator&)>& make) {
  for (const Allocations which : {Allocations::operator_new, Allocations::views}) {
    int counted = 0;
    comm::run_in_process(3, [&](const Communicator& communicator) {
      const auto space = rank_space();
      const std::vector<Operation> operations = make(space, communicator);
      for (int warm = 0; warm < 3; ++warm)
        for (const Operation& operation : operations) operation();
      comm::barrier(communicator).wait();
      if (communicator.rank() == 0) start_counting(which);
      comm::barrier(communicator).wait();
      for (int repeat = 0; repeat < 5; ++repeat)
        for (const Operation& operation : operations) operation();
      comm::barrier(communicator).wait();
      if (communicator.rank() == 0) counted = stop_counting();
      comm::barrier(communicator).wait();
    });
    EXPECT_EQ(counted, 0) << (which == Allocations::views ? "views" : "operator new");
  }
}

TEST(Allocation, IsCounted) {
  start_counting(Allocations::operator_new, 100);
  ::operator delete(::operator new(99));
  ::operator delete(::operator new(100));
  EXPECT_EQ(stop_counting(), 1);
  start_counting(Allocations::views);
  const Kokkos::View<int*, Kokkos::HostSpace> view("view", 1);
  EXPECT_EQ(stop_counting(), 1);
}

TEST(Allocation, OfAPlanHappensOnlyAtFirstUse) {
  expect_no_allocation([](const Kokkos::Serial& space, const Communicator& communicator) {
    std::vector<Operation> operations;
    comm::RowTransfers transfers;
    comm::GroupSplits splits = {{2, 3}, {{0, 1, 2}, {1}}, {}, {}};
    for (int peer = 0; peer < 3; ++peer) {
      transfers.sends.push_back({peer, 0, 1});
      transfers.sends.push_back({peer, 2, 4});
      transfers.receives.push_back({peer, peer * 4, peer * 4 + 3});
      splits.output_rows.push_back(2);
      splits.sources.push_back(peer);
      if (communicator.rank() == 1) splits.output_rows.push_back(3), splits.sources.push_back(peer);
    }
    const std::int64_t outputs = communicator.rank() == 1 ? 15 : 6;
    for (const Lie lie : all_lies) {  // several Views of several sizes: the layers of a model
      const TestRows<float> send(5, 2, 3, lie), receive(12, 2, 3, lie), parts(outputs, 2, 3, lie), out(5, 2, 3, lie);
      const TestRows<float> part_lse(outputs, 1, 2, Lie::right), lse(5, 1, 2, Lie::right);
      const auto exchange = std::make_shared<comm::RowExchange>(communicator, transfers);
      const auto cast = std::make_shared<comm::GroupCast>(communicator, splits);
      const auto reduce = std::make_shared<comm::GroupReduce>(communicator, splits);
      operations.push_back([=] { exchange->start(space, send.view(), receive.view()).wait(); });
      operations.push_back([=] { cast->start(space, send.view(), parts.view()).wait(); });
      operations.push_back([=] { reduce->start(space, parts.view(), out.view()).wait(); });
      const auto flat = [](const TestRows<float>& rows) {
        return Kokkos::subview(rows.view(), Kokkos::ALL, 0, Kokkos::ALL);
      };
      operations.push_back(
          [=] { reduce->start_lse(space, parts.view(), flat(part_lse), out.view(), flat(lse)).wait(); });
    }
    return operations;
  });
}

TEST(Allocation, OfOperationsWithoutAPlanHappensOnlyTheFirstTime) {
  expect_no_allocation([](const Kokkos::Serial& space, const Communicator& communicator) {
    const TestRows<double> send(6, 2, 3, Lie::strided), receive(6, 2, 3, Lie::left), all(18, 2, 3, Lie::padded),
        part(2, 2, 3);
    return std::vector<Operation>{
        [=] { comm::all_gather(space, communicator, send.view(), all.view()).wait(); },
        [=] { comm::ring_shift(space, communicator, send.view(), receive.view()).wait(); },
        [=] {
          static const std::vector<std::int64_t> rows = {2, 2, 2};
          comm::all_to_all_v(space, communicator, send.view(), rows, receive.view(), rows).wait();
          comm::reduce_scatter_v(space, communicator, send.view(), part.view(), rows).wait();
        },
        [=] { comm::all_reduce(space, communicator, send.view(), receive.view()).wait(); },
        [=] { comm::barrier(communicator).wait(); }};
  });
}

}  // namespace
}  // namespace caesura::testing
