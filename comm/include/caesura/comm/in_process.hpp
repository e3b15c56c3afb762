// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>

#include <functional>
#include <vector>

namespace caesura::comm {

/// The link between any two ranks of one process, for experiments: a message is complete on the receiving side
/// `latency` + bytes / `bytes_per_second` after both sides started it and the sender's earlier messages have left.
struct SimulatedLink {
  double latency = 0;           ///< seconds
  double bytes_per_second = 0;  ///< of each rank, each way; 0: as fast as memory
};

struct InProcessOptions : CommunicatorOptions {
  SimulatedLink link;
};

/// Ranks that are threads of this process. Rows are copied once, straight from the sender's View to the receiver's.
///
/// A deadlock (all ranks wait, and nothing that one of them waits for can come any more; also because a rank has
/// ended) is an `Error` on all of them, at once, that says who waits for what.
class InProcessCommunicator : public Communicator {
 public:
  /// One for each of \p ranks; each is to be used by one thread at a time. A rank ends when the last handle of its
  /// communicator is gone.
  static std::vector<Communicator> create(int ranks, const InProcessOptions& options = {});
};

/// Runs \p body once per rank, each on a thread of its own with its own communicator, and waits for all of them.
///
/// Each should make its own execution space instance, for instance `Kokkos::Serial(Kokkos::NewInstance{})`.
/// If bodies throw, the others get an `Error` from what they wait for; then the first exception is thrown here: an
/// exception that is no consequence of another rank's comes before those that are.
void run_in_process(int ranks, const std::function<void(const Communicator&)>& body,
                    const InProcessOptions& options = {});

}  // namespace caesura::comm
