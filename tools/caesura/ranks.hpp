// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>

#include <functional>
#include <memory>

namespace caesura::tools {

/// Where the ranks of a `run` are: in this process, or the processes of an MPI launcher, if it was started by one.
class Ranks {
 public:
  /// Starts MPI under a launcher. Before Kokkos.
  static std::unique_ptr<Ranks> find();
  virtual ~Ranks() = default;

  /// Processes, if they are the ranks; 0 if ranks are threads of this one.
  virtual int processes() const = 0;
  /// Whether this process reads, reports and writes: rank 0 does.
  virtual bool speaks() const = 0;
  /// Calls \p body for each of \p ranks ranks, for those of this process; throws what one of them threw.
  virtual void run(int ranks, const std::function<void(const comm::Communicator&)>& body) = 0;
  /// Ends the program on an error that other processes do not know of; returns where there are none.
  virtual void abandon(int status) = 0;
};

/// The program's; threads until others are set.
Ranks& ranks();
void set_ranks(std::unique_ptr<Ranks> ranks);

}  // namespace caesura::tools
