// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "comm_bench_ways.hpp"
#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/mpi.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/comm/row_exchange.hpp>

#include <mpi.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace caesura::perf {

namespace {

using comm::Communicator;
using Rows = Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace>;

constexpr std::int64_t row_elements = 64, row_bytes = row_elements * 4;

const Kokkos::DefaultHostExecutionSpace& space() {
  static const Kokkos::DefaultHostExecutionSpace instance;
  return instance;
}

Rows rows(const std::string& name, std::int64_t count) {
  const Rows result(name, count, row_elements);
  Kokkos::deep_copy(result, 1.0F);  // pages that nobody has written cost nothing to send
  return result;
}

// The world twice: for us, and for MPI's own calls. Kept for all cases, so that first contacts are not timed.
struct World {
  Communicator ours = comm::MpiCommunicator(MPI_COMM_WORLD, {.checks = comm::Checks::off});
  MPI_Comm raw = MPI_COMM_NULL;
  int rank = ours.rank();
  int size = ours.size();
  Together together;

  World() {
    MPI_Comm_dup(MPI_COMM_WORLD, &raw);
    // MPICH's barrier spins, which costs more than what is measured if ranks share cores: ours leaves them.
    together.meet = [this] { comm::barrier(ours).wait(); };
    together.maximize = [this](std::vector<double>& values) {
      MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, MPI_MAX, raw);
    };
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { MPI_Comm_free(&raw); }
};

void measure(benchmark::State& state, const World& world, const std::vector<Way>& ways, double bytes) {
  std::vector<double> seconds;
  for (auto _ : state) {
    seconds = medians(ways, world.together);
    state.SetIterationTime(seconds.back());
  }
  report(state, ways, seconds, bytes);
}

// `bytes` is what a rank sends in all: an equal part for each rank.
void all_to_all_v(benchmark::State& state, const World& world, std::int64_t bytes) {
  const std::int64_t part = bytes / row_bytes / world.size;
  const Rows send = rows("send", part * world.size), receive = rows("receive", part * world.size);
  const std::vector<std::int64_t> counts(static_cast<std::size_t>(world.size), part);
  std::vector<int> raw_counts, raw_places;
  comm::RowTransfers transfers;
  for (int peer = 0; peer < world.size; ++peer) {
    raw_counts.push_back(static_cast<int>(part * row_bytes));
    raw_places.push_back(static_cast<int>(peer * part * row_bytes));
    transfers.sends.push_back({.peer = peer, .begin = peer * part, .end = (peer + 1) * part});
  }
  transfers.receives = transfers.sends;
  comm::RowExchange exchange(world.ours, transfers);
  measure(state, world,
          {{"raw",
            [&] {
              MPI_Alltoallv(send.data(), raw_counts.data(), raw_places.data(), MPI_BYTE, receive.data(),
                            raw_counts.data(), raw_places.data(), MPI_BYTE, world.raw);
            }},
           {"once", [&] { comm::all_to_all_v(space(), world.ours, send, counts, receive, counts).wait(); }},
           {"kept", [&] { exchange.start(space(), send, receive).wait(); }}},
          static_cast<double>(bytes));
}

// `bytes` is what a rank has.
void all_gather(benchmark::State& state, const World& world, std::int64_t bytes) {
  const std::int64_t own = bytes / row_bytes;
  const Rows send = rows("send", own), receive = rows("receive", own * world.size);
  const std::vector<std::int64_t> counts(static_cast<std::size_t>(world.size), own);
  const std::vector<int> raw_counts(static_cast<std::size_t>(world.size), static_cast<int>(bytes));
  std::vector<int> raw_places;
  comm::RowTransfers transfers;
  for (int peer = 0; peer < world.size; ++peer) {
    raw_places.push_back(static_cast<int>(peer * bytes));
    transfers.sends.push_back({.peer = peer, .begin = 0, .end = own});
    transfers.receives.push_back({.peer = peer, .begin = peer * own, .end = (peer + 1) * own});
  }
  comm::RowExchange exchange(world.ours, transfers);
  const int count = static_cast<int>(bytes);
  measure(state, world,
          {{"raw", [&] { MPI_Allgather(send.data(), count, MPI_BYTE, receive.data(), count, MPI_BYTE, world.raw); }},
           {"raw_v",
            [&] {
              MPI_Allgatherv(send.data(), count, MPI_BYTE, receive.data(), raw_counts.data(), raw_places.data(),
                             MPI_BYTE, world.raw);
            }},
           {"once", [&] { comm::all_gather(space(), world.ours, send, receive).wait(); }},
           {"once_v", [&] { comm::all_gather_v(space(), world.ours, send, receive, counts).wait(); }},
           {"kept", [&] { exchange.start(space(), send, receive).wait(); }}},
          static_cast<double>(bytes));
}

// `bytes` go to the next rank.
void ring(benchmark::State& state, const World& world, std::int64_t bytes) {
  const std::int64_t count = bytes / row_bytes;
  const Rows send = rows("send", count), receive = rows("receive", count);
  const int next = (world.rank + 1) % world.size, previous = (world.rank + world.size - 1) % world.size;
  comm::RowExchange exchange(world.ours, {.sends = {{.peer = next, .begin = 0, .end = count}},
                                          .receives = {{.peer = previous, .begin = 0, .end = count}}});
  measure(state, world,
          {{"raw",
            [&] {
              MPI_Request requests[2];
              MPI_Irecv(receive.data(), static_cast<int>(bytes), MPI_BYTE, previous, 0, world.raw, &requests[0]);
              MPI_Isend(send.data(), static_cast<int>(bytes), MPI_BYTE, next, 0, world.raw, &requests[1]);
              MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
            }},
           {"once", [&] { comm::ring_shift(space(), world.ours, send, receive).wait(); }},
           {"kept", [&] { exchange.start(space(), send, receive).wait(); }}},
          static_cast<double>(bytes));
}

}  // namespace

void register_mpi_cases() {
  const auto world = std::make_shared<World>();  // until the last case is gone: before MPI_Finalize
  const auto add = [&](const char* name, auto* run) {
    for (std::int64_t bytes = 1 << 10; bytes <= std::int64_t{64} << 20; bytes *= 4) {
      benchmark::RegisterBenchmark(
          (std::string("mpi/") + name + "/" + std::to_string(bytes) + "/ranks_" + std::to_string(world->size)).c_str(),
          [=](benchmark::State& state) { run(state, *world, bytes); })
          ->Iterations(1)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  };
  add("all_to_all_v", &all_to_all_v);
  add("all_gather", &all_gather);
  add("ring_shift", &ring);
}

}  // namespace caesura::perf
