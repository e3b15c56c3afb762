// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/mpi.hpp>
#include <caesura/error.hpp>

#include <gtest/gtest.h>
#include <mpi/transport.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

// What the contract of all communicators cannot see: bytes below rows, errors, time. Every test runs on all ranks.

namespace {

using namespace caesura::comm;
using impl::Message;
using impl::MpiGroup;
using impl::MpiTransport;
using testing::AssertionResult;
using Bytes = std::vector<std::byte>;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

const Kokkos::DefaultHostExecutionSpace& space() {
  static const Kokkos::DefaultHostExecutionSpace instance;
  return instance;
}

MpiTransport world(milliseconds timeout = milliseconds(30'000)) {
  return {MpiGroup::duplicate(MPI_COMM_WORLD, timeout), {.timeout = timeout}};
}

Message message(int peer, Bytes& bytes) {
  return {.peer = peer, .data = bytes.data(), .bytes = static_cast<std::int64_t>(bytes.size())};
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const caesura::Error& error) {
    EXPECT_EQ(error.kind(), caesura::ErrorKind::communication);
    return error.what();
  }
  return "no error";
}

bool contains(const std::string& whole, const std::string& part) { return whole.find(part) != std::string::npos; }

void meet() { MPI_Barrier(MPI_COMM_WORLD); }

#define SKIP_BELOW_TWO_RANKS(transport) \
  if ((transport).size() < 2) GTEST_SKIP() << "one rank has nobody to talk to"

TEST(MpiTransport, RanksAreThoseOfTheCommunicator) {
  const MpiTransport transport = world();
  int rank = -1, size = -1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  EXPECT_EQ(transport.rank(), rank);
  EXPECT_EQ(transport.size(), size);
  EXPECT_EQ(transport.name(), "MPI");
  EXPECT_FALSE(transport.stream_ordered());
}

TEST(MpiTransport, RefusesNoCommunicator) {
  EXPECT_EQ(error_of([] { static_cast<void>(MpiGroup::duplicate(MPI_COMM_NULL, milliseconds(1000))); }),
            "MpiCommunicator: communicator = MPI_COMM_NULL: must be a communicator");
}

TEST(MpiTransport, LeavesTheUsersErrorHandlerAsItWas) {
  world();
  MPI_Errhandler handler;
  MPI_Comm_get_errhandler(MPI_COMM_WORLD, &handler);
  EXPECT_EQ(handler, MPI_ERRORS_ARE_FATAL);
  MPI_Errhandler_free(&handler);
}

TEST(MpiTransport, MessagesArriveInTheOrderOfTheirStart) {
  MpiTransport transport = world();
  SKIP_BELOW_TWO_RANKS(transport);
  const int to = (transport.rank() + 1) % transport.size();
  const int from = (transport.rank() + transport.size() - 1) % transport.size();
  Bytes sent_first(1000, std::byte{1}), sent_second(1000, std::byte{2}), first(1000), second(1000);
  const auto one = transport.prepare("one", {message(to, sent_first)}, {message(from, first)});
  const auto two = transport.prepare("two", {message(to, sent_second)}, {message(from, second)});
  for (int time = 0; time < 3; ++time) {
    one->start(space());
    two->start(space());
    two->wait();
    one->wait();
    EXPECT_EQ(first, sent_first);
    EXPECT_EQ(second, sent_second);
    first.assign(1000, {});
    second.assign(1000, {});
  }
}

TEST(MpiTransport, TestMovesMessages) {
  MpiTransport transport = world();
  SKIP_BELOW_TWO_RANKS(transport);
  Bytes sent(3'000'000, std::byte{7}), received(sent.size());
  const auto transfer =
      transport.prepare("large", {message((transport.rank() + 1) % transport.size(), sent)},
                        {message((transport.rank() + transport.size() - 1) % transport.size(), received)});
  transfer->start(space());
  while (!transfer->test()) std::this_thread::yield();
  EXPECT_EQ(received, sent);
  EXPECT_TRUE(transfer->test());
}

TEST(MpiTransport, DoesNotMixWithTheUsersMessages) {
  MpiTransport transport = world();
  SKIP_BELOW_TWO_RANKS(transport);
  int from_user = -1;
  MPI_Request request;
  MPI_Irecv(&from_user, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &request);
  const int to = (transport.rank() + 1) % transport.size();
  const int from = (transport.rank() + transport.size() - 1) % transport.size();
  Bytes sent(4, std::byte{9}), received(4);
  const auto transfer = transport.prepare("ours", {message(to, sent)}, {message(from, received)});
  transfer->start(space());
  transfer->wait();
  int complete = 0;
  MPI_Test(&request, &complete, MPI_STATUS_IGNORE);
  EXPECT_FALSE(complete);
  EXPECT_EQ(received, sent);
  meet();
  const int value = transport.rank();
  MPI_Send(&value, 1, MPI_INT, to, 5, MPI_COMM_WORLD);
  if (!complete) MPI_Wait(&request, MPI_STATUS_IGNORE);
  EXPECT_EQ(from_user, from);
}

TEST(MpiTransport, TheDestructorWaits) {
  MpiTransport transport = world();
  SKIP_BELOW_TWO_RANKS(transport);
  Bytes sent(2'000'000, std::byte{3}), received(sent.size());
  transport
      .prepare("dropped", {message((transport.rank() + 1) % transport.size(), sent)},
               {message((transport.rank() + transport.size() - 1) % transport.size(), received)})
      ->start(space());
  EXPECT_EQ(received, sent);
}

TEST(MpiTransport, SplitsByColorAndKey) {
  MpiTransport transport = world();
  const int rank = transport.rank(), size = transport.size();
  const auto part = transport.split(rank % 2, -rank);
  ASSERT_NE(part, nullptr);
  EXPECT_EQ(part->size(), (size + 1 - rank % 2) / 2);
  EXPECT_EQ(part->rank(), part->size() - 1 - rank / 2);
  EXPECT_EQ(part->options().timeout, transport.options().timeout);
  EXPECT_EQ(transport.split(rank == 0 ? -1 : 0, 0) == nullptr, rank == 0);
}

// Virtual memory that costs little of the real one: nothing where nobody writes; received bytes all land in one piece,
// but for the last piece, which is its own.
class SparseMemory {
 public:
  static constexpr std::int64_t piece = std::int64_t{1} << 24;

  SparseMemory(std::int64_t pieces, bool aliased) : bytes_(pieces * piece) {
    data_ = map(nullptr, bytes_, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!aliased) return;
    const int file = memfd_create("sparse", 0);
    EXPECT_EQ(ftruncate(file, 2 * piece), 0);
    for (std::int64_t i = 0; i < pieces; ++i) {
      map(data_ + i * piece, piece, MAP_SHARED | MAP_FIXED, file, i + 1 < pieces ? 0 : piece);
    }
    close(file);
  }
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;
  ~SparseMemory() { munmap(data_, static_cast<std::size_t>(bytes_)); }

  std::byte* data() const { return data_; }

 private:
  static std::byte* map(void* at, std::int64_t bytes, int flags, int file, std::int64_t offset) {
    void* const memory = mmap(at, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE, flags, file, offset);
    EXPECT_NE(memory, MAP_FAILED);
    return static_cast<std::byte*>(memory);
  }

  std::int64_t bytes_;
  std::byte* data_ = nullptr;
};

TEST(MpiTransport, MovesMoreBytesThanAnIntCounts) {
  MpiTransport transport = world();
  if (transport.size() != 2) GTEST_SKIP() << "once is enough: on two ranks";
  const std::int64_t pieces = (std::int64_t{1} << 31) / SparseMemory::piece + 1;
  const std::int64_t bytes = (std::int64_t{1} << 31) + 12'345;
  const SparseMemory memory(pieces, transport.rank() == 1);
  const Message all{.peer = 1 - transport.rank(), .data = memory.data(), .bytes = bytes};
  std::byte* const end = memory.data() + bytes;
  if (transport.rank() == 0) {
    end[-1] = std::byte{11};
    end[-12'345] = std::byte{12};
    const auto transfer = transport.prepare("huge", {all}, {});
    transfer->start(space());
    transfer->wait();
  } else {
    const auto transfer = transport.prepare("huge", {}, {all});
    transfer->start(space());
    transfer->wait();
    EXPECT_EQ(end[-1], std::byte{11});
    EXPECT_EQ(end[-12'345], std::byte{12});
    EXPECT_EQ(end[0], std::byte{0});
  }
}

TEST(MpiTransport, AShortMessageIsAnErrorOfWhoeverReceivesIt) {
  MpiTransport transport = world();
  SKIP_BELOW_TWO_RANKS(transport);
  Bytes bytes(100);
  if (transport.rank() == 1) {
    bytes.resize(60);
    const auto transfer = transport.prepare("exchange", {message(0, bytes)}, {});
    transfer->start(space());
    transfer->wait();
  } else if (transport.rank() == 0) {
    const auto transfer = transport.prepare("exchange", {}, {message(1, bytes)});
    transfer->start(space());
    const std::string first = error_of([&] { transfer->wait(); });
    EXPECT_TRUE(contains(first, ": rank 1 sent 60 bytes where 100 were expected")) << first;
    const std::string next = error_of([&] { transport.prepare("later", {}, {}); });
    EXPECT_EQ(next, "later: rank 0: the communicator failed before: " + first);
    EXPECT_EQ(error_of([&] { transport.split(0, 0); }), "split: rank 0: the communicator failed before: " + first);
  }
  meet();
}

TEST(MpiTransport, ALongMessageIsAnErrorOfWhoeverReceivesIt) {
  MpiTransport transport = world(milliseconds(2000));
  SKIP_BELOW_TWO_RANKS(transport);
  Bytes bytes(100);
  if (transport.rank() == 1) {
    bytes.resize(160);
    const auto transfer = transport.prepare("exchange", {message(0, bytes)}, {});
    transfer->start(space());
    transfer->wait();
  } else if (transport.rank() == 0) {
    const auto transfer = transport.prepare("exchange", {}, {message(1, bytes)});
    transfer->start(space());
    const std::string said = error_of([&] { transfer->wait(); });
    EXPECT_TRUE(contains(said, "exchange: rank 0 of ")) << said;
    // Open MPI counts the bytes, MPICH refuses them.
    EXPECT_TRUE(contains(said, "rank 1 sent 160 bytes where 100 were expected") ||
                (contains(said, "100 bytes from rank 1 after") && contains(said, "truncated")))
        << said;
  }
  meet();
}

TEST(MpiTransport, ALateRankIsAnErrorThatNamesItAndItsMessageGoesNowhere) {
  MpiTransport transport = world(milliseconds(300));
  SKIP_BELOW_TWO_RANKS(transport);
  Bytes bytes(100);
  if (transport.rank() == 1) {
    meet();
    bytes.assign(100, std::byte{5});
    const auto transfer = transport.prepare("exchange", {message(0, bytes)}, {});
    transfer->start(space());
    transfer->wait();
  } else {
    if (transport.rank() == 0) {
      auto transfer = transport.prepare("exchange", {}, {message(1, bytes)});
      transfer->start(space());
      const auto begin = steady_clock::now();
      const std::string said = error_of([&] { transfer->wait(); });
      EXPECT_LT(steady_clock::now() - begin, milliseconds(2000));
      EXPECT_TRUE(contains(said, "exchange: rank 0 of ")) << said;
      EXPECT_TRUE(contains(said, "(time-out 0.3 s): missing 100 bytes from rank 1")) << said;
      transfer.reset();
    }
    meet();
  }
  meet();
  int arrived = 0;
  MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &arrived, MPI_STATUS_IGNORE);  // lets MPI move
  EXPECT_EQ(bytes[0], transport.rank() == 1 ? std::byte{5} : std::byte{0});
}

TEST(MpiTransport, TestGivesUpTooButNotWhileTheCallerIsBusy) {
  MpiTransport transport = world(milliseconds(400));
  SKIP_BELOW_TWO_RANKS(transport);
  Bytes bytes(100);
  if (transport.rank() == 0) {
    const auto transfer = transport.prepare("exchange", {}, {message(1, bytes)});
    transfer->start(space());
    EXPECT_FALSE(transfer->test());
    std::this_thread::sleep_for(milliseconds(600));
    EXPECT_FALSE(transfer->test());
    const std::string said = error_of([&] {
      while (!transfer->test()) std::this_thread::yield();
    });
    EXPECT_TRUE(contains(said, "missing 100 bytes from rank 1")) << said;
  }
  meet();
}

TEST(MpiTransport, ARankThatNeverComesToADuplicateIsAnError) {
  int rank = 0, size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (size < 2) GTEST_SKIP() << "one rank has nobody to wait for";
  // On a communicator of its own: the one that is left half duplicated is of no use any more.
  MPI_Comm own;
  MPI_Comm_dup(MPI_COMM_WORLD, &own);
  if (rank != 0) {
    const std::string said = error_of([&] { static_cast<void>(MpiGroup::duplicate(own, milliseconds(200))); });
    EXPECT_TRUE(contains(said, "MPI_Comm_idup is not complete after")) << said;
  }
  meet();
}

}  // namespace
