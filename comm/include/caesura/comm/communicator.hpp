// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/request.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace caesura::comm {

namespace impl {
class Endpoint;
class Transport;
}  // namespace impl

/// Whether the ranks compare what they are about to exchange before any data moves.
enum class Checks : std::uint8_t {
  automatic,  ///< on in builds without NDEBUG
  off,
  /// One more small exchange per operation; a difference between ranks is an `Error` on all of them. Operations then wait
  /// for all ranks when they start, so that also those on different communicators must start in one order.
  on
};

struct CommunicatorOptions {
  /// How long an operation may wait for other ranks. Then every rank that waits gets an `Error` that names the
  /// operation, the peer, the bytes and the time; the communicator cannot be used after that.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  /// If ranks ask for different things, all check.
  Checks checks = Checks::automatic;
};

/// `size()` ranks that exchange rows of Views, seen from one of them. A handle: copies mean the same communicator.
///
/// Operations are free functions (all_gather.hpp, all_to_all.hpp, ring.hpp, reduce.hpp, row_exchange.hpp, group.hpp)
/// that take an execution space instance, a communicator, inputs, outputs. All of them are collective: every rank of
/// the communicator calls them, in the same order, with as many rows as it likes, also none. They return a `Request`;
/// requests may be waited for in any order, and several may be under way at once. One thread of a rank at a time.
///
/// How ranks are reached says the class that made it: `InProcessCommunicator`, `MpiCommunicator`, `NcclCommunicator`.
class Communicator {
 public:
  int rank() const;
  int size() const;
  /// `in-process`, `MPI` or `NCCL`.
  std::string_view transport() const;
  const CommunicatorOptions& options() const;
  /// Whether other threads of a rank than the one that made it may use it, one at a time.
  bool any_thread() const;

  /// The ranks that gave the same \p color, ordered by \p key, then by rank. Collective. A negative color: no
  /// communicator, `valid()` of the result is false.
  Communicator split(int color, int key = 0) const;
  bool valid() const { return endpoint_ != nullptr; }

  /// Bytes of the memory that operations without a plan of their own keep for the next time.
  std::int64_t memory_bytes() const;
  /// Bytes sent to and received from other ranks by data of operations so far (checks not counted).
  std::int64_t bytes_sent() const;
  std::int64_t bytes_received() const;

  /// For the library's own sources. Collective, where ranks may have been given different options.
  explicit Communicator(std::shared_ptr<impl::Transport> transport);
  const std::shared_ptr<impl::Transport>& impl_transport() const;
  impl::Endpoint& impl_endpoint() const { return *endpoint_; }

 private:
  explicit Communicator(std::shared_ptr<impl::Endpoint> endpoint) : endpoint_(std::move(endpoint)) {}

  std::shared_ptr<impl::Endpoint> endpoint_;
};

/// Complete on every rank when all ranks have called it.
Request barrier(const Communicator& communicator);

}  // namespace caesura::comm
