// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>

#include <mpi.h>

namespace caesura::comm {

/// The ranks of an MPI communicator.
///
/// It is duplicated, so that no message of the user's own ever mixes with ours; the duplicate is freed with the last
/// handle, if MPI has not been finalized and no operation failed. MPI must have been initialized with at least
/// MPI_THREAD_FUNNELED, and is then used by the thread that did so. Device Views are sent from where they are if the MPI
/// library says that it can, through pinned host memory otherwise.
///
/// A rank that dies or stalls is an `Error` on the ranks that wait for it, when the time-out is over or MPI says so,
/// provided that launcher and MPI library let them live: Open MPI's launcher with `--enable-recovery`, MPICH's with
/// `-disable-auto-cleanup` (and its survivors must ignore SIGUSR1, and, on UCX, have UCX_TLS=^cma); otherwise all end at
/// once. Some errors MPI knows no communicator for: MPI_COMM_WORLD needs the handler MPI_ERRORS_RETURN to survive them. After an Error (communication) the communicator is of no more use, and MPI_Finalize would
/// wait for the missing rank: save what is to be saved, then leave by `MPI_Abort` (ends all ranks) or `std::_Exit` (this
/// one only). Until then keep Views that were being sent or received: a rank that is only late may still touch them.
class MpiCommunicator : public Communicator {
 public:
  /// Collective over \p communicator.
  /// \throws Error (communication) if MPI is not initialized or refuses the duplicate
  explicit MpiCommunicator(MPI_Comm communicator, const CommunicatorOptions& options = {});
};

/// Whether the MPI library takes pointers to device memory.
bool mpi_takes_device_memory();

}  // namespace caesura::comm
