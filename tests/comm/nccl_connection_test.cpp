// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "nccl_fake.hpp"
#include <support/errors.hpp>

#include <gtest/gtest.h>
#include <nccl/connection.hpp>

#include <chrono>
#include <thread>

namespace caesura::comm::impl {
namespace {

using namespace std::chrono_literals;
using caesura::testing::count_fake_calls;
using caesura::testing::FakeNccl;
using caesura::testing::set_fake;

using Clock = std::chrono::steady_clock;
using Calls = std::vector<std::string>;

const auto work = std::make_shared<const NcclWork>(NcclWork{
    .operation = "all_to_all_v", .rank = 0, .to = {1, 2}, .from = {2}, .bytes_sent = 64, .bytes_received = 32});

NcclConnection::Returned send(ncclComm_t comm) {
  return {ncclSend(nullptr, 0, ncclChar, 1, comm, nullptr), "ncclSend"};
}

/// A connection that is ready; afterwards NCCL does what `then` says.
std::unique_ptr<NcclConnection> connected(Clock::duration timeout, const FakeNccl& then = {}) {
  set_fake({});
  auto connection = std::make_unique<NcclConnection>(0, 0, timeout);
  connection->connect(*work, "ncclCommInitRankConfig", caesura::testing::make_fake_communicator);
  set_fake(then);
  return connection;
}

template <class Call>
void expect_failure(std::initializer_list<std::string_view> parts, const Call& call) {
  caesura::testing::expect_error(ErrorKind::communication, parts, call);
}

TEST(NcclConnection, ConnectsWhenNcclIsReadyAndEndsInOrder) {
  set_fake({.polls_until_ready = 5});
  {
    NcclConnection connection(0, 0, 10s);
    connection.connect(*work, "ncclCommInitRankConfig", caesura::testing::make_fake_communicator);
    int rank = 0, size = 0;
    connection.place(*work, rank, size);
    EXPECT_EQ(rank, 1);
    EXPECT_EQ(size, 3);
  }
  EXPECT_EQ(caesura::testing::fake_calls(), (Calls{"ncclCommInitRankConfig", "ncclCommFinalize", "ncclCommDestroy"}));
  EXPECT_EQ(caesura::testing::fake_communicators(), 0);
}

TEST(NcclConnection, ThatNeverComesIsAbortedAfterTheTimeOut) {
  set_fake({.never_ready = true});
  const auto begin = Clock::now();
  NcclConnection connection(0, 0, 50ms);
  expect_failure(
      {"all_to_all_v: rank 0: 64 bytes to ranks 1,2, 32 bytes from rank 2: NCCL not ready after 0.0",
       "(time-out 0.05 s)"},
      [&] { connection.connect(*work, "ncclCommInitRankConfig", caesura::testing::make_fake_communicator); });
  EXPECT_LT(Clock::now() - begin, 2s);
  EXPECT_EQ(count_fake_calls("ncclCommAbort"), 1);
}

TEST(NcclConnection, LaunchIsInTheStreamWhenNcclSaysSo) {
  const auto connection = connected(10s, {.polls_until_ready = 2});
  connection->launch(work, nullptr, send);
  EXPECT_EQ(caesura::testing::fake_calls(), (Calls{"cudaEventRecord", "ncclGroupStart", "ncclSend", "ncclGroupEnd"}));
  EXPECT_FALSE(connection->launched(*work));
  EXPECT_FALSE(connection->launched(*work));
  EXPECT_TRUE(connection->launched(*work));
  EXPECT_EQ(caesura::testing::fake_calls().back(), "cudaEventRecord") << "the event behind the transfer";
}

TEST(NcclConnection, ALaunchWaitsForTheOneBefore) {
  const auto connection = connected(10s, {.polls_until_ready = 3});
  connection->launch(work, nullptr, send);
  connection->launch(work, nullptr, send);
  connection->wait_launched(*work);
  EXPECT_EQ(count_fake_calls("ncclSend"), 2);
  EXPECT_EQ(count_fake_calls("cudaEventRecord"), 4);
}

TEST(NcclConnection, ALateTransferEndsTheFenceOfItsStream) {
  const auto connection = connected(60ms, {.complete = false});
  const auto begin = Clock::now();
  connection->launch(work, nullptr, send);
  connection->wait_launched(*work);
  EXPECT_TRUE(caesura::testing::fence_fake_stream()) << "nobody aborted";
  EXPECT_LT(Clock::now() - begin, 2s);
  EXPECT_GE(Clock::now() - begin, 60ms);
  for (int i = 0; i < 2; ++i) {
    expect_failure({"all_to_all_v: rank 0", "the communicator has failed",
                    "64 bytes to ranks 1,2, 32 bytes from rank 2: not complete after 0.", "(time-out 0.06 s)"},
                   [&] { connection->launch(work, nullptr, send); });
  }
  EXPECT_EQ(count_fake_calls("ncclCommAbort"), 1);
}

TEST(NcclConnection, ATransferBehindOtherWorkIsNotLate) {
  const auto connection = connected(20ms, {.started = false, .complete = false});
  connection->launch(work, nullptr, send);
  std::this_thread::sleep_for(100ms);
  connection->wait_launched(*work);
  set_fake({});
  connection->launch(work, nullptr, send);
  EXPECT_EQ(count_fake_calls("ncclCommAbort"), 0);
}

TEST(NcclConnection, AnErrorInTheBackgroundAborts) {
  const auto connection = connected(60ms, {.complete = false});
  connection->launch(work, nullptr, send);
  set_fake({.error = ncclRemoteError, .complete = false});
  EXPECT_TRUE(caesura::testing::fence_fake_stream());
  expect_failure({"the communicator has failed", "ncclCommGetAsyncError: remote process exited: last words"},
                 [&] { connection->wait_launched(*work); });
}

TEST(NcclConnection, ARefusedCallEndsItsGroupAndNamesItself) {
  const auto connection = connected(10s, {.refuses = ncclInvalidArgument});
  expect_failure({"all_to_all_v: rank 0", "ncclSend: some error: last words"},
                 [&] { connection->launch(work, nullptr, send); });
  EXPECT_EQ(caesura::testing::fake_calls(),
            (Calls{"cudaEventRecord", "ncclGroupStart", "ncclSend", "ncclGroupEnd", "ncclCommAbort"}));
}

TEST(NcclConnection, EventsAreUsedAgain) {
  const auto connection = connected(10s);
  for (int i = 0; i < 100; ++i) {
    connection->launch(work, nullptr, send);
    connection->wait_launched(*work);
  }
  EXPECT_LE(caesura::testing::fake_events(), 4);
}

TEST(NcclConnection, CapturedTransfersAreNotWatched) {
  const auto connection = connected(20ms, {.complete = false, .capturing = true});
  connection->launch(work, nullptr, send);
  connection->wait_launched(*work);
  std::this_thread::sleep_for(60ms);
  EXPECT_EQ(count_fake_calls("ncclCommAbort"), 0);
}

TEST(NcclConnection, SplitGivesAChildOrNone) {
  const auto connection = connected(10s, {.polls_until_ready = 2});
  NcclConnection child(0, 0, 10s), none(0, 0, 10s);
  connection->split(*work, 1, 0, child);
  child.launch(work, nullptr, send);
  child.wait_launched(*work);
  connection->split(*work, -1, 0, none);
  expect_failure({"there is no communicator"}, [&] { none.launch(work, nullptr, send); });
}

TEST(NcclConnection, EndsThoughATransferNeverDoes) {
  const auto begin = Clock::now();
  auto connection = connected(40ms, {.complete = false});
  connection->launch(work, nullptr, send);
  connection.reset();
  EXPECT_LT(Clock::now() - begin, 2s);
  EXPECT_EQ(count_fake_calls("ncclCommAbort"), 1);
  EXPECT_EQ(caesura::testing::fake_communicators(), 0);
  EXPECT_EQ(caesura::testing::fake_events(), 0);
}

}  // namespace
}  // namespace caesura::comm::impl
