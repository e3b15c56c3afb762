// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/comm.hpp>
#include <caesura/comm/nccl.hpp>
#include <impl/transport.hpp>
#include <support/errors.hpp>

#include <Kokkos_Core.hpp>

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <numeric>

// One rank, because NCCL wants a GPU for each: rows go through NCCL to the same rank.

namespace caesura::comm {
namespace {

using Values = Kokkos::View<float**, Kokkos::CudaSpace>;

Values numbered(int rows, int columns) {
  const Values values("numbered", static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
  const auto host = Kokkos::create_mirror_view(values);
  std::iota(host.data(), host.data() + host.size(), 0.0f);
  Kokkos::deep_copy(values, host);
  return values;
}

void expect_equal(const Values& found, const Values& expected) {
  const auto left = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), found);
  const auto right = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), expected);
  ASSERT_EQ(left.extent(0), right.extent(0));
  for (std::size_t row = 0; row < left.extent(0); ++row) {
    for (std::size_t column = 0; column < left.extent(1); ++column)
      ASSERT_EQ(left(row, column), right(row, column)) << "row " << row << ", column " << column;
  }
}

class NcclCommunicatorTest : public ::testing::Test {
 protected:
  const Kokkos::Cuda space;
  const Communicator bootstrap = InProcessCommunicator::create(1).front();
  const NcclCommunicator nccl{bootstrap, {.timeout = std::chrono::seconds(20), .checks = Checks::on}};
};

TEST_F(NcclCommunicatorTest, SaysWhatItIs) {
  EXPECT_EQ(nccl.transport(), "NCCL");
  EXPECT_EQ(nccl.rank(), 0);
  EXPECT_EQ(nccl.size(), 1);
  EXPECT_FALSE(nccl_version().empty());
}

TEST_F(NcclCommunicatorTest, TheTransportSendsToItself) {
  const Values from = numbered(64, 32), to("to", 64, 32);
  const auto bytes = static_cast<std::int64_t>(from.size() * sizeof(float));
  const auto transfer = nccl.impl_transport()->prepare(
      "self", {{.peer = 0, .data = reinterpret_cast<std::byte*>(from.data()), .bytes = bytes}},
      {{.peer = 0, .data = reinterpret_cast<std::byte*>(to.data()), .bytes = bytes}});
  for (int round = 0; round < 3; ++round) {
    Kokkos::deep_copy(space, to, 0.0f);
    transfer->start(space);
    transfer->wait();
    space.fence();
    expect_equal(to, from);
  }
}

TEST_F(NcclCommunicatorTest, TheTransportGathersEqualAndUnequalParts) {
  const Values from = numbered(16, 8), to("to", 16, 8);
  const auto bytes = static_cast<std::int64_t>(from.size() * sizeof(float));
  const impl::Message own{.peer = 0, .data = reinterpret_cast<std::byte*>(from.data()), .bytes = bytes};
  const auto transfer = nccl.impl_transport()->prepare_all_gather(
      "gather", own, {{.peer = 0, .data = reinterpret_cast<std::byte*>(to.data()), .bytes = bytes}});
  transfer->start(space);
  while (!transfer->test()) {
  }
  space.fence();
  expect_equal(to, from);
}

TEST_F(NcclCommunicatorTest, CollectivesKeepTheRowsOfOneRank) {
  const Values from = numbered(10, 4), to("to", 10, 4);
  const std::vector<std::int64_t> rows = {10};
  const auto check = [&](Request request) {
    request.wait();
    space.fence();
    expect_equal(to, from);
    Kokkos::deep_copy(to, 0.0f);
  };
  check(all_gather(space, nccl, from, to));
  check(all_gather_v(space, nccl, from, to, rows));
  check(all_to_all_v(space, nccl, from, rows, to, rows));
  check(ring_shift(space, nccl, from, to));
  check(reduce_scatter_v(space, nccl, from, to, rows));
  check(all_reduce(space, nccl, from, to));
  check(send_receive(space, nccl, from, to, {.sends = {{0, 0, 4}, {0, 4, 10}}, .receives = {{0, 0, 7}, {0, 7, 10}}}));
  check(group_cast(space, nccl, from, to,
                   {.input_rows = {3, 7}, .destinations = {{0}, {0}}, .output_rows = {3, 7}, .sources = {0, 0}}));
  barrier(nccl).wait();
}

TEST_F(NcclCommunicatorTest, SplitsAndHasATopology) {
  const Communicator part = nccl.split(0);
  EXPECT_EQ(part.size(), 1);
  EXPECT_FALSE(nccl.split(-1).valid());
  EXPECT_EQ(Topology(nccl).nodes(), 1);
}

TEST_F(NcclCommunicatorTest, RefusesHostSpacesAndHostViews) {
  const Values from = numbered(2, 2), to("to", 2, 2);
  caesura::testing::expect_error(ErrorKind::invalid_argument, {"all_gather"},
                                 [&] { all_gather(Kokkos::DefaultHostExecutionSpace(), nccl, from, to).wait(); });
}

}  // namespace
}  // namespace caesura::comm

// Kokkos does not start where there is no GPU, so this asks before it.
int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("SKIPPED: no CUDA device here; NCCL needs one");
    return 0;
  }
  const Kokkos::ScopeGuard kokkos(Kokkos::InitializationSettings().set_disable_warnings(true));
  return RUN_ALL_TESTS();
}
