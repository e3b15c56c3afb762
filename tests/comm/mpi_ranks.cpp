// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/mpi.hpp>

#include <comm/contract/ranks.hpp>
#include <mpi.h>

#include <algorithm>
#include <chrono>

namespace caesura::testing {

// A rank that left its test by a failure must not keep the others for ten minutes.
void each_rank(const std::function<void(const comm::Communicator&)>& body, const comm::CommunicatorOptions& options) {
  comm::CommunicatorOptions shorter = options;
  shorter.timeout = std::min<std::chrono::milliseconds>(options.timeout, std::chrono::seconds(60));
  body(comm::MpiCommunicator(MPI_COMM_WORLD, shorter));
}

int ranks() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

}  // namespace caesura::testing
