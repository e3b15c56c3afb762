// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <impl/transport.hpp>

#include <mpi/group.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// Ranks of an MPI communicator.
///
/// An all-gather is messages between all pairs, as by default: on 2 to 8 ranks of one machine they took 0.5 to 1.02
/// times the time of MPI_Allgather, and MPI_Iallgatherv 0.8 to 2.2 times (1 KB to 64 MB a rank, Open MPI 4.1.4, MPICH
/// 4.0.2); and when one is missing, the error can say which.
class MpiTransport : public Transport {
 public:
  MpiTransport(std::shared_ptr<MpiGroup> group, const CommunicatorOptions& options);

  std::string_view name() const override { return "MPI"; }
  int rank() const override { return group_->rank(); }
  int size() const override { return group_->size(); }
  bool takes_device_memory() const override;
  bool any_thread() const override;

  std::unique_ptr<Transfer> prepare(std::string_view operation, std::vector<Message> sends,
                                    std::vector<Message> receives) override;
  std::shared_ptr<Transport> split(int color, int key) override;

 private:
  std::shared_ptr<MpiGroup> group_;
};

}  // namespace caesura::comm::impl
