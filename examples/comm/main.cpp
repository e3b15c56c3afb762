// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Four ranks in one process: a transpose of rows by all_to_all_v, then rows that go to a set of ranks and the sum of
// what those made of them. With MPI only the communicator is another: caesura::comm::MpiCommunicator(MPI_COMM_WORLD).

#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/group.hpp>
#include <caesura/comm/in_process.hpp>
#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace comm = caesura::comm;
using Rows = Kokkos::View<double**, Kokkos::HostSpace>;

namespace {

/// Rank r sends r + 1 rows to each rank. Returns whether they arrive.
bool transpose(const Kokkos::Serial& space, const comm::Communicator& communicator) {
  const std::int64_t rank = communicator.rank(), size = communicator.size();
  const std::vector<std::int64_t> send_rows(static_cast<std::size_t>(size), rank + 1);
  std::vector<std::int64_t> receive_rows;
  for (std::int64_t from = 0; from < size; ++from) receive_rows.push_back(from + 1);

  const Rows send("send", static_cast<std::size_t>(size * (rank + 1)), 3);
  const Rows receive("receive", static_cast<std::size_t>(size * (size + 1) / 2), 3);
  Kokkos::deep_copy(space, send, static_cast<double>(rank));
  comm::Request request = comm::all_to_all_v(space, communicator, send, send_rows, receive, receive_rows);
  // Work that needs neither View goes here.
  request.wait();

  bool right = true;
  std::size_t row = 0;
  for (std::int64_t from = 0; from < size; ++from)
    for (std::int64_t i = 0; i <= from; ++i) right = right && receive(row++, 0) == static_cast<double>(from);
  return right;
}

/// Each rank's first row goes to all, its second to the next rank only; each receiver returns twice what it got.
bool cast_and_reduce(const Kokkos::Serial& space, const comm::Communicator& communicator) {
  const int rank = communicator.rank(), size = communicator.size();
  comm::GroupSplits splits = {
      .input_rows = {1, 1}, .destinations = {{}, {(rank + 1) % size}}, .output_rows = {}, .sources = {}};
  for (int peer = 0; peer < size; ++peer) {
    splits.destinations[0].push_back(peer);
    const bool both = (peer + 1) % size == rank;  // its two splits, in its order
    splits.output_rows.insert(splits.output_rows.end(), both ? 2 : 1, 1);
    splits.sources.insert(splits.sources.end(), both ? 2 : 1, peer);
  }
  comm::GroupCast cast(communicator, splits);  // made once, used for every layer of a model
  comm::GroupReduce reduce(communicator, splits);

  const Rows own("own", 2, 3), received("received", splits.sources.size(), 3), sums("sums", 2, 3);
  Kokkos::deep_copy(space, own, rank + 1.0);
  cast.start(space, own, received).wait();
  for (std::size_t i = 0; i < received.size(); ++i) received.data()[i] *= 2;
  reduce.start(space, received, sums).wait();
  return sums(0, 0) == 2.0 * size * (rank + 1) && sums(1, 2) == 2.0 * (rank + 1);
}

}  // namespace

int main() {
  const Kokkos::ScopeGuard kokkos;
  std::atomic<int> right{0};
  try {
    comm::run_in_process(4, [&](const comm::Communicator& communicator) {
      const Kokkos::Serial space(Kokkos::NewInstance{});  // a rank launches on an instance of its own
      right += transpose(space, communicator);
      right += cast_and_reduce(space, communicator);
      comm::barrier(communicator).wait();
      std::printf("rank %d of %d sent %lld bytes, received %lld\n", communicator.rank(), communicator.size(),
                  static_cast<long long>(communicator.bytes_sent()),
                  static_cast<long long>(communicator.bytes_received()));
    });
  } catch (const caesura::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  return right == 8 ? 0 : 1;
}
