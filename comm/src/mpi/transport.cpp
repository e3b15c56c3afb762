// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/mpi.hpp>

#include <Kokkos_Core.hpp>

#include <mpi/messages.hpp>
#include <mpi/transport.hpp>

#include <utility>

namespace caesura::comm {

namespace impl {

MpiTransport::MpiTransport(std::shared_ptr<MpiGroup> group, const CommunicatorOptions& options)
    : Transport(options), group_(std::move(group)) {}

bool MpiTransport::takes_device_memory() const { return mpi_takes_device_memory(); }

bool MpiTransport::any_thread() const {
  int provided = MPI_THREAD_SINGLE;
  return MPI_Query_thread(&provided) == MPI_SUCCESS && provided >= MPI_THREAD_SERIALIZED;
}

std::unique_ptr<Transfer> MpiTransport::prepare(std::string_view operation, std::vector<Message> sends,
                                                std::vector<Message> receives) {
  return std::make_unique<MpiMessages>(group_, operation, sends, receives);
}

std::shared_ptr<Transport> MpiTransport::split(int color, int key) {
  constexpr std::string_view operation = "split";
  // MPI_Comm_split would wait forever for a rank that never comes: meet first, where waiting ends.
  std::vector<Message> nothing;
  for (int peer = 0; peer < size(); ++peer) {
    if (peer != rank()) nothing.push_back({.peer = peer});
  }
  MpiMessages everybody(group_, operation, nothing, nothing);
  everybody.start(Kokkos::DefaultHostExecutionSpace());
  everybody.wait();

  MPI_Comm part = MPI_COMM_NULL;
  group_->check(MPI_Comm_split(group_->handle(), color < 0 ? MPI_UNDEFINED : color, key, &part), operation,
                "MPI_Comm_split");
  if (part == MPI_COMM_NULL) return nullptr;
  return std::make_shared<MpiTransport>(std::make_shared<MpiGroup>(part, options().timeout), options());
}

}  // namespace impl

MpiCommunicator::MpiCommunicator(MPI_Comm communicator, const CommunicatorOptions& options)
    : Communicator(
          std::make_shared<impl::MpiTransport>(impl::MpiGroup::duplicate(communicator, options.timeout), options)) {}

}  // namespace caesura::comm
