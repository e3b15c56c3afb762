// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/transport.hpp"

#include <nccl/connection.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// Messages as groups of NCCL's calls on the stream of the Kokkos::Cuda instance they are started on.
class NcclTransport final : public Transport {
 public:
  /// \p connection is ready.
  NcclTransport(int rank, int size, std::shared_ptr<NcclConnection> connection, const CommunicatorOptions& options);

  std::string_view name() const override { return "NCCL"; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  bool takes_device_memory() const override { return true; }
  bool takes_host_memory() const override { return false; }
  bool stream_ordered() const override { return true; }

  std::unique_ptr<Transfer> prepare(std::string_view operation, std::vector<Message> sends,
                                    std::vector<Message> receives) override;
  std::unique_ptr<Transfer> prepare_all_gather(std::string_view operation, const Message& own,
                                               std::vector<Message> all) override;
  std::shared_ptr<Transport> split(int color, int key) override;

 private:
  int rank_;
  int size_;
  std::shared_ptr<NcclConnection> connection_;
};

}  // namespace caesura::comm::impl
