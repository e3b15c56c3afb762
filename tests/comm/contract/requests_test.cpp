// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/comm/row_exchange.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using comm::Request;

TEST(Requests, AreWaitedForInAnyOrder) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const int rank = communicator.rank(), size = communicator.size();
    constexpr int many = 12;
    std::vector<TestRows<float>> send, receive;
    std::vector<Request> requests;
    for (int i = 0; i < many; ++i) {
      const std::int64_t rows = i % 3 == 0 ? 2000 : 5;  // messages of 48 kB among small ones
      send.emplace_back(rows, 2, 3, all_lies[i % 4]);
      receive.emplace_back(i % 2 ? rows : rows * size, 2, 3, all_lies[(i / 2) % 4]);
      send.back().fill(100 * i + rank);
      requests.push_back(i % 2 ? comm::ring_shift(space, communicator, send.back().view(), receive.back().view(), i)
                               : comm::all_gather(space, communicator, send.back().view(), receive.back().view()));
    }
    for (int i = 0; i < many; ++i) {  // another order on every rank
      const int which = (5 * i + rank) % many;
      requests[static_cast<std::size_t>(which)].wait();
    }
    for (int i = 0; i < many; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::int64_t rows = send[at].rows();
      for (std::int64_t row = 0; row < receive[at].rows(); ++row) {
        const int from = i % 2 ? ((rank - i) % size + size) % size : static_cast<int>(row / rows);
        ASSERT_TRUE(receive[at].holds(row, 100 * i + from, row % rows)) << "operation " << i;
      }
    }
  });
}

TEST(Requests, MoveOnWhenTested) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const TestRows<double> send(300, 2, 3, Lie::strided), receive(300 * communicator.size(), 2, 3, Lie::left);
    send.fill(communicator.rank());
    Request request = comm::all_gather(space, communicator, send.view(), receive.view());
    while (!request.test()) {
    }
    EXPECT_TRUE(request.test()) << "complete stays complete";
    request.wait();
    for (std::int64_t row = 0; row < receive.rows(); ++row) ASSERT_TRUE(receive.holds(row, row / 300, row % 300));
  });
}

TEST(Requests, KeepViewsAndTheCommunicatorAlive) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const auto size = static_cast<std::size_t>(communicator.size());
    Kokkos::View<int*, Kokkos::HostSpace> receive("receive", 5000 * size);
    Request request;
    {
      const Communicator part = communicator.split(0);
      const Kokkos::View<int*, Kokkos::HostSpace> send("send", 5000);
      Kokkos::deep_copy(rank_space(), send, communicator.rank());
      request = comm::all_gather(space, part, send, receive);
      EXPECT_TRUE(size == 1 || send.use_count() > 1);
    }
    request.wait();
    for (std::size_t i = 0; i < receive.size(); ++i) ASSERT_EQ(receive(i), static_cast<int>(i / 5000));
    EXPECT_EQ(receive.use_count(), 1) << "a complete request lets go";
  });
}

TEST(Requests, CompleteWhenDropped) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const Kokkos::View<int[1], Kokkos::HostSpace> value("value");
    value(0) = 1;
    { const Request request = comm::all_reduce(space, communicator, value, value); }
    EXPECT_EQ(value(0), communicator.size());
    Request request = comm::barrier(communicator);
    request = comm::barrier(communicator);  // waits for the first
    request.wait();
  });
}

TEST(Communicator, CountsBytesAndReportsMemory) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const int size = communicator.size(), rank = communicator.rank();
    const std::int64_t sent = communicator.bytes_sent(), received = communicator.bytes_received();
    const TestRows<double> send(10, 2, 3, Lie::strided), receive(10 * size, 2, 3);
    send.fill(rank);
    comm::all_gather(space, communicator, send.view(), receive.view()).wait();
    EXPECT_EQ(communicator.bytes_sent() - sent, (size - 1) * 10 * 48);
    EXPECT_EQ(communicator.bytes_received() - received, (size - 1) * 10 * 48);

    comm::RowTransfers transfers;
    for (int peer = 0; peer < size; ++peer) {
      transfers.sends.push_back({peer, 0, 1});
      transfers.receives.push_back({peer, peer, peer + 1});
    }
    comm::RowExchange exchange(communicator, transfers);
    exchange.start(space, send.view(), receive.view()).wait();
    EXPECT_GE(exchange.memory_bytes(), size > 1 ? 48 : 0) << "one packed row, the same for all";
    EXPECT_LE(exchange.memory_bytes(), 2 * 48 + 200 * size) << "one packed row, the same for all, and lists";

    const TestRows<double> shifted(10, 2, 3, Lie::strided);
    comm::ring_shift(space, communicator, send.view(), shifted.view()).wait();
    EXPECT_GE(communicator.memory_bytes(), size > 1 ? 2 * 10 * 48 : 0) << "a message each way";
  });
}

}  // namespace
}  // namespace caesura::testing
