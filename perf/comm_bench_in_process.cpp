// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "comm_bench_ways.hpp"
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/in_process.hpp>
#include <caesura/comm/ring.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace caesura::perf {

namespace {

using comm::Communicator;
using Rows = Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace>;
using Space = Kokkos::Serial;

constexpr std::int64_t row_elements = 64, row_bytes = row_elements * 4;

// What the ranks share: places of their Views, and numbers that are compared.
struct Shared {
  explicit Shared(int ranks) : sends(static_cast<std::size_t>(ranks)), values(static_cast<std::size_t>(ranks)) {}
  std::vector<Rows> sends;
  std::vector<std::vector<double>> values;
};

Rows rows(const std::string& name, std::int64_t count) {
  const Rows result(name, count, row_elements);
  Kokkos::deep_copy(Space(), result, 1.0F);
  return result;
}

Together together_of(const Communicator& communicator, Shared& shared) {
  const auto meet = [&communicator] { comm::barrier(communicator).wait(); };
  return {meet, [&, meet](std::vector<double>& values) {
            shared.values[static_cast<std::size_t>(communicator.rank())] = values;
            meet();
            for (const std::vector<double>& other : shared.values) {
              for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::max(values[i], other[i]);
            }
            meet();
          }};
}

// The same bytes by memcpy, by the same threads at the same time: each takes from the others' Views.
void all_to_all_v(benchmark::State& state, int ranks, std::int64_t bytes) {
  const std::int64_t part = bytes / row_bytes / ranks;
  std::vector<double> seconds;
  const auto ways_of = [&](const Space& space, const Communicator& communicator, Shared& shared, const Rows& send,
                           const Rows& receive, const std::vector<std::int64_t>& counts) -> std::vector<Way> {
    return {{"memcpy",
             [&] {
               for (int from = 0; from < ranks; ++from) {
                 const Rows& source = shared.sends[static_cast<std::size_t>(from)];
                 std::memcpy(&receive(from * part, 0), &source(communicator.rank() * part, 0),
                             static_cast<std::size_t>(part * row_bytes));
               }
             }},
            {"ours", [&] { comm::all_to_all_v(space, communicator, send, counts, receive, counts).wait(); }}};
  };
  Shared shared(ranks);
  std::vector<Way> names;
  for (auto _ : state) {
    comm::run_in_process(ranks, [&](const Communicator& communicator) {
      const Space space{Kokkos::NewInstance{}};
      const Rows send = rows("send", part * ranks), receive = rows("receive", part * ranks);
      const std::vector<std::int64_t> counts(static_cast<std::size_t>(ranks), part);
      shared.sends[static_cast<std::size_t>(communicator.rank())] = send;
      comm::barrier(communicator).wait();
      const std::vector<Way> ways = ways_of(space, communicator, shared, send, receive, counts);
      const std::vector<double> own = medians(ways, together_of(communicator, shared));
      if (communicator.rank() == 0) seconds = own, names = ways;
      comm::barrier(communicator).wait();
    });
    state.SetIterationTime(seconds.back());
  }
  report(state, names, seconds, static_cast<double>(bytes));
}

void ring(benchmark::State& state, int ranks, std::int64_t bytes) {
  std::vector<double> seconds;
  std::vector<Way> names;
  Shared shared(ranks);
  for (auto _ : state) {
    comm::run_in_process(ranks, [&](const Communicator& communicator) {
      const Space space{Kokkos::NewInstance{}};
      const Rows send = rows("send", bytes / row_bytes), receive = rows("receive", bytes / row_bytes);
      shared.sends[static_cast<std::size_t>(communicator.rank())] = send;
      comm::barrier(communicator).wait();
      const Rows& source = shared.sends[static_cast<std::size_t>((communicator.rank() + ranks - 1) % ranks)];
      const std::vector<Way> ways = {
          {"memcpy", [&] { std::memcpy(receive.data(), source.data(), static_cast<std::size_t>(bytes)); }},
          {"ours", [&] { comm::ring_shift(space, communicator, send, receive).wait(); }}};
      const std::vector<double> own = medians(ways, together_of(communicator, shared));
      if (communicator.rank() == 0) seconds = own, names = ways;
      comm::barrier(communicator).wait();
    });
    state.SetIterationTime(seconds.back());
  }
  report(state, names, seconds, static_cast<double>(bytes));
}

}  // namespace

void register_in_process_cases() {
  const auto add = [](const char* name, auto* run) {
    for (const int ranks : {2, 4}) {
      for (std::int64_t bytes = 1 << 20; bytes <= std::int64_t{64} << 20; bytes *= 4) {
        benchmark::RegisterBenchmark(
            (std::string("in_process/") + name + "/" + std::to_string(bytes) + "/ranks_" + std::to_string(ranks))
                .c_str(),
            [=](benchmark::State& state) { run(state, ranks, bytes); })
            ->Iterations(1)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  };
  add("all_to_all_v", &all_to_all_v);
  add("ring_shift", &ring);
}

}  // namespace caesura::perf
