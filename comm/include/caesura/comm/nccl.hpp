// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>

#include <string>

namespace caesura::comm {

/// Ranks with a GPU each, connected by NCCL. Operations are ordered on the stream of the Kokkos::Cuda instance they are
/// given and do not synchronize the host; `Request::wait` returns when they are in the stream.
///
/// Views must be in device memory. A rank that fails or is late makes the communicator abort: every rank gets an
/// `Error` within the time-out, at the next call or wait. A thread of the communicator's own sees to it, so that a
/// fence behind a transfer that never ends returns, too; time counts while a transfer runs, not while it waits in
/// its stream behind other work.
class NcclCommunicator : public Communicator {
 public:
  /// The same ranks as \p bootstrap's, which carries NCCL's unique id from rank 0 to the others. Collective; uses the
  /// current CUDA device. \p bootstrap is not kept.
  /// \throws Error (communication) with NCCL's own words
  explicit NcclCommunicator(const Communicator& bootstrap, const CommunicatorOptions& options = {});
};

/// Of the NCCL that this program runs with.
std::string nccl_version();

}  // namespace caesura::comm
