// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/ring.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

using comm::Communicator;

TEST(Ring, ShiftsByAnyStride) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const int rank = communicator.rank(), size = communicator.size();
    for (int stride = -size - 1; stride <= size + 1; ++stride) {
      for (const Lie lie : {Lie::right, Lie::padded, Lie::left}) {
        const int from = ((rank - stride) % size + size) % size;
        const TestRows<half> send(2 + rank % 3, 3, 2, lie), receive(2 + from % 3, 3, 2, lie);  // unequal rows
        send.fill(rank);
        comm::ring_shift(space, communicator, send.view(), receive.view(), stride).wait();
        for (std::int64_t row = 0; row < receive.rows(); ++row)
          ASSERT_TRUE(receive.holds(row, from, row)) << "stride " << stride;
        EXPECT_TRUE(receive.untouched_around());
      }
    }
  });
}

TEST(Ring, PassesRowsAllTheWayRoundThroughTwoBuffers) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const TestRows<double> buffers[] = {{100, 2, 8}, {100, 2, 8}};
    buffers[0].fill(communicator.rank());
    for (int step = 0; step < communicator.size(); ++step) {
      comm::ring_shift(space, communicator, buffers[step % 2].view(), buffers[(step + 1) % 2].view()).wait();
      const int origin = (communicator.rank() + communicator.size() - step - 1) % communicator.size();
      for (std::int64_t row = 0; row < 100; ++row) ASSERT_TRUE(buffers[(step + 1) % 2].holds(row, origin, row));
    }
  });
}

}  // namespace
}  // namespace caesura::testing
