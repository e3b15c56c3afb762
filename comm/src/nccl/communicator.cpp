// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/nccl.hpp>
#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <nccl/check.hpp>
#include <nccl/connection.hpp>
#include <nccl/transport.hpp>

#include <cstring>

namespace caesura::comm {

namespace {

/// Rank 0's id on all ranks. Every rank sends one, because the bootstrap has no broadcast: that of the others is 0.
ncclUniqueId shared_id(const Communicator& bootstrap, const impl::NcclWork& work) {
  static_assert(std::is_trivially_copyable_v<ncclUniqueId>);
  using Ids = Kokkos::View<ncclUniqueId*, Kokkos::HostSpace>;
  const Kokkos::DefaultHostExecutionSpace space;
  const Ids own("caesura::comm::nccl_id", 1);
  const Ids all("caesura::comm::nccl_id", static_cast<std::size_t>(bootstrap.size()));
  ncclResult_t code = ncclSuccess;
  if (bootstrap.rank() == 0) code = ncclGetUniqueId(&own(0));
  const bool failed = code != ncclSuccess;
  // A rank that threw before the exchange would leave the others waiting: they learn of it from an id of zeros.
  if (failed) own(0) = ncclUniqueId{};
  space.fence("caesura::comm::nccl_id");
  all_gather(space, bootstrap, own, all).wait();
  space.fence("caesura::comm::nccl_id");
  require(
      !failed, [&] { return impl::nccl_words(code, work, "ncclGetUniqueId", nullptr); }, ErrorKind::communication);
  const ncclUniqueId none{};
  require(
      std::memcmp(&all(0), &none, sizeof(none)) != 0,
      [&] { return text(work.text(), ": ncclGetUniqueId failed on rank 0"); }, ErrorKind::communication);
  return all(0);
}

std::shared_ptr<impl::Transport> connect(const Communicator& bootstrap, const CommunicatorOptions& options) {
  const int rank = bootstrap.rank();
  const int size = bootstrap.size();
  const impl::NcclWork work{.operation = "NcclCommunicator", .rank = rank, .to = {}, .from = {}};
  int device = 0;
  impl::cuda_check(cudaGetDevice(&device), work, "cudaGetDevice");
  const ncclUniqueId id = shared_id(bootstrap, work);
  auto connection = std::make_shared<impl::NcclConnection>(rank, device, options.timeout);
  connection->connect(work, "ncclCommInitRankConfig", [&](ncclComm_t* comm) {
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    return ncclCommInitRankConfig(comm, size, id, rank, &config);
  });
  return std::make_shared<impl::NcclTransport>(rank, size, std::move(connection), options);
}

}  // namespace

NcclCommunicator::NcclCommunicator(const Communicator& bootstrap, const CommunicatorOptions& options)
    : Communicator(connect(bootstrap, options)) {}

std::string nccl_version() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) return {};
  return text(version / 10000, ".", version / 100 % 100, ".", version % 100);
}

}  // namespace caesura::comm
