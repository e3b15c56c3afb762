// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/in_process.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/comm/row_exchange.hpp>
#include <support/errors.hpp>

#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using comm::InProcessOptions;
using comm::run_in_process;
using namespace std::chrono_literals;
using Ints = Kokkos::View<int*, Kokkos::HostSpace>;
using Counts = std::vector<std::int64_t>;

/// Runs \p body and returns what each rank threw; "" where nothing was. Without checks, which would see some of the
/// faults before the transport does.
template <class Body>
std::vector<std::string> errors_of_ranks(int ranks, const Body& body, InProcessOptions options = {}) {
  options.checks = comm::Checks::off;
  std::vector<std::string> errors(static_cast<std::size_t>(ranks));
  try {
    run_in_process(
        ranks,
        [&](const Communicator& communicator) {
          try {
            body(communicator);
          } catch (const std::exception& error) {
            errors[static_cast<std::size_t>(communicator.rank())] = error.what();
            throw;
          }
        },
        options);
  } catch (const std::exception&) {
  }
  return errors;
}

void expect_parts(const std::string& message, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts)
    EXPECT_NE(message.find(part), std::string::npos) << "expected \"" << part << "\" in: " << message;
}

void receive_from(const Communicator& communicator, int peer, std::size_t count) {
  const Ints send, receive("receive", count);
  comm::send_receive(rank_space(), communicator, send, receive,
                     {.sends = {}, .receives = {{peer, 0, static_cast<std::int64_t>(count)}}})
      .wait();
}

TEST(InProcessDeadlock, IsFoundAtOnceAndSaysWhoWaitsForWhat) {
  const auto begin = std::chrono::steady_clock::now();
  const auto errors = errors_of_ranks(
      3, [](const Communicator& communicator) { receive_from(communicator, (communicator.rank() + 1) % 3, 5); });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s) << "long before the time-out of 10 minutes";
  for (int rank = 0; rank < 3; ++rank) {
    expect_parts(errors[static_cast<std::size_t>(rank)],
                 {"RowExchange: receive from rank ", "20 bytes, after ",
                  " s: deadlock: ", "rank 0 waits in RowExchange to receive from rank 1, 20 bytes",
                  "rank 1 waits in RowExchange to receive from rank 2, 20 bytes",
                  "rank 2 waits in RowExchange to receive from rank 0, 20 bytes"});
  }
}

TEST(InProcessDeadlock, IsFoundAcrossOperationsAndSubCommunicators) {
  const auto errors = errors_of_ranks(4, [](const Communicator& communicator) {
    const Communicator half = communicator.split(communicator.rank() / 2);
    if (communicator.rank() < 2) {
      comm::barrier(communicator).wait();  // ranks 2 and 3 never come: they wait in their half
    } else {
      receive_from(half, 1 - half.rank(), 1);
    }
  });
  for (const std::string& error : errors)
    expect_parts(error,
                 {"deadlock: rank 0 waits in barrier to receive from rank 3, 1 bytes", "receive from rank 2, 1 bytes",
                  "rank 3 waits in RowExchange to receive from rank 2, 4 bytes"});
}

TEST(InProcessDeadlock, CountsRanksThatHaveEnded) {
  const auto errors = errors_of_ranks(3, [](const Communicator& communicator) {
    if (communicator.rank() != 1) comm::barrier(communicator).wait();
  });
  for (const int rank : {0, 2}) expect_parts(errors[static_cast<std::size_t>(rank)], {"barrier: ", "rank 1 has ended"});
  EXPECT_EQ(errors[1], "");
}

TEST(InProcessDeadlock, IsNotSeenWhereSomebodyIsOnlyLate) {
  run_in_process(3, [](const Communicator& communicator) {
    for (int round = 0; round < 30; ++round) {
      if (communicator.rank() == round % 3) std::this_thread::sleep_for(1ms);
      comm::barrier(communicator).wait();
    }
  });
}

TEST(InProcessFaults, ARankThatThrowsInTheMiddleOfAllToAllEndsAllOthers) {
  for (const std::size_t rows : {std::size_t{3}, std::size_t{300'000}}) {  // copied at once, and by whoever waits
    std::atomic<int> rounds{0};
    std::vector<std::string> errors;
    const auto body = [&](const Communicator& communicator) {
      const auto size = static_cast<std::size_t>(communicator.size());
      const Ints send("send", size * rows), receive("receive", size * rows);
      const Counts counts(size, static_cast<std::int64_t>(rows));
      for (int round = 0;; ++round) {
        auto request = comm::all_to_all_v(rank_space(), communicator, send, counts, receive, counts);
        if (round == 2 && communicator.rank() == 2) throw std::out_of_range("boom");
        request.wait();
        ++rounds;
      }
    };
    errors = errors_of_ranks(4, body);
    EXPECT_GE(rounds, 2 * 4);
    for (const int rank : {0, 1, 3})
      expect_parts(errors[static_cast<std::size_t>(rank)], {"all_to_all_v: ", " bytes, after ", "rank 2 failed: boom"});
    EXPECT_THROW(run_in_process(4, body), std::out_of_range) << "the cause is thrown, not what followed from it";
  }
}

TEST(InProcessFaults, AStalledRankIsATimeOutOnAllOthers) {
  const InProcessOptions options = {{.timeout = 200ms}, {}};
  std::atomic<bool> others_are_done{false};
  std::atomic<int> failed{0};
  const auto errors = errors_of_ranks(
      4,
      [&](const Communicator& communicator) {
        if (communicator.rank() == 3) {
          while (failed < 3) std::this_thread::sleep_for(1ms);
          others_are_done = true;
          return;
        }
        const Ints send("send", 2000), receive("receive", 8000);
        try {
          comm::all_gather(rank_space(), communicator, send, receive).wait();
        } catch (...) {
          ++failed;
          throw;
        }
      },
      options);
  EXPECT_TRUE(others_are_done);
  for (int rank = 0; rank < 3; ++rank)
    expect_parts(errors[static_cast<std::size_t>(rank)],
                 {"all_gather: ", " rank 3, 8000 bytes, after 0.", "has waited for longer than the time-out of 0.2 s"});
}

TEST(InProcessFaults, PollingTimesOutToo) {
  const auto errors = errors_of_ranks(2,
                                      [](const Communicator& communicator) {
                                        static std::atomic<bool> done;
                                        done = false;
                                        if (communicator.rank() == 1) {
                                          while (!done) std::this_thread::sleep_for(1ms);
                                          return;
                                        }
                                        comm::Request request = comm::barrier(communicator);
                                        try {
                                          while (!request.test()) std::this_thread::sleep_for(1ms);
                                        } catch (...) {
                                          done = true;
                                          throw;
                                        }
                                      },
                                      {{.timeout = 100ms}, {}});
  expect_parts(errors[0], {"barrier: ", "longer than the time-out"});
}

TEST(InProcessFaults, SizesThatDifferAreAnErrorOnBoth) {
  const auto errors = errors_of_ranks(2,
                                      [](const Communicator& communicator) {
                                        const Ints send("send", communicator.rank() == 0 ? 4 : 6),
                                            receive("receive", 4);
                                        comm::ring_shift(rank_space(), communicator, send, receive).wait();
                                      },
                                      {{.checks = comm::Checks::off}, {}});
  for (const std::string& error : errors)
    expect_parts(error, {"rank 1 sends 24 bytes to rank 0 in ring_shift, which expects 16 in ring_shift"});
}

TEST(InProcessFaults, FurtherCallsFailAndCompletedResultsStay) {
  std::mutex mutex;
  std::vector<int> kept;
  errors_of_ranks(2, [&](const Communicator& communicator) {
    const Ints send("send", 10), receive("receive", 20);
    Kokkos::deep_copy(rank_space(), send, communicator.rank() + 1);
    comm::all_gather(rank_space(), communicator, send, receive).wait();
    if (communicator.rank() == 1) throw std::runtime_error("gone");
    expect_error(ErrorKind::communication, {"barrier: ", "rank 1"}, [&] { comm::barrier(communicator).wait(); });
    expect_error(ErrorKind::communication, {"all_gather: ", "rank 1"},
                 [&] { comm::all_gather(rank_space(), communicator, send, receive).wait(); });
    const std::lock_guard lock(mutex);
    kept = {receive(0), receive(19)};
  });
  EXPECT_EQ(kept, (std::vector<int>{1, 2}));
}

TEST(InProcess, CommunicatorsAreUsedByAnyThread) {
  // Checks would make the first start wait for the others, which come later in this thread.
  const auto communicators = comm::InProcessCommunicator::create(3, {{.checks = comm::Checks::off}, {}});
  std::vector<Ints> receive;
  std::vector<comm::Request> requests;
  for (const Communicator& communicator : communicators) {  // all ranks in this thread, one after the other
    const Ints send("send", 2000);
    Kokkos::deep_copy(rank_space(), send, 10 + communicator.rank());
    receive.emplace_back("receive", 6000);
    requests.push_back(comm::all_gather(Kokkos::DefaultHostExecutionSpace(), communicator, send, receive.back()));
  }
  for (comm::Request& request : requests) request.wait();
  for (const Ints& each : receive)
    for (std::size_t i = 0; i < 6000; ++i) ASSERT_EQ(each(i), 10 + static_cast<int>(i / 2000));
  expect_invalid({"InProcessCommunicator: ranks = 0: must be at least 1"},
                 [] { comm::InProcessCommunicator::create(0); });
}

TEST(SimulatedLink, WithholdsMessagesAsLongAsTheyWouldTake) {
  const InProcessOptions options = {{}, {.latency = 20e-3, .bytes_per_second = 1e6}};
  run_in_process(
      3,
      [](const Communicator& communicator) {
        const auto space = rank_space();
        const auto seconds = [](auto since) {
          return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
        };
        const Ints send("send", 2500), receive("receive", 7500);  // 10 kB to each of 2: 20 ms on the way out and in
        Kokkos::deep_copy(rank_space(), send, communicator.rank());
        comm::barrier(communicator).wait();
        const auto begin = std::chrono::steady_clock::now();
        comm::Request request = comm::all_gather(space, communicator, send, receive);
        EXPECT_FALSE(request.test());
        request.wait();
        EXPECT_GE(seconds(begin), 0.030) << "10 ms for the first of two messages at least, and 20 ms of latency";
        for (std::size_t i = 0; i < 7500; ++i) ASSERT_EQ(receive(i), static_cast<int>(i / 2500));
      },
      options);
}

}  // namespace
}  // namespace caesura::testing
