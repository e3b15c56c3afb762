// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <mpi.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace caesura::comm::impl {

/// An MPI communicator of our own, and what all that use it share: whether it still works.
///
/// The last one to let go frees it. After an error nobody does: requests that can never complete may still refer to it,
/// and other ranks may have left.
class MpiGroup {
 public:
  /// Duplicates \p communicator. Collective.
  static std::shared_ptr<MpiGroup> duplicate(MPI_Comm communicator, std::chrono::milliseconds timeout);

  /// Takes \p own over.
  MpiGroup(MPI_Comm own, std::chrono::milliseconds timeout);
  MpiGroup(const MpiGroup&) = delete;
  MpiGroup& operator=(const MpiGroup&) = delete;
  ~MpiGroup();

  MPI_Comm handle() const { return handle_; }
  int rank() const { return rank_; }
  int size() const { return size_; }
  std::chrono::milliseconds timeout() const { return timeout_; }

  bool broken() const { return !first_error_.empty(); }
  /// \throws Error (communication) with the first error, if there was one
  void require_usable(std::string_view operation) const;
  /// Nothing works any more from here on.
  /// \throws Error (communication), always
  [[noreturn]] void fail(const std::string& message);
  /// As `mpi_check`; an error breaks the communicator.
  void check(int code, std::string_view operation, std::string_view call);

 private:
  MPI_Comm handle_;
  int rank_ = 0;
  int size_ = 0;
  std::chrono::milliseconds timeout_;
  std::string first_error_;
};

/// Whether MPI may still be called.
bool mpi_is_up();

/// `2.04 s`, for messages.
std::string seconds_text(std::chrono::duration<double> time);

}  // namespace caesura::comm::impl
