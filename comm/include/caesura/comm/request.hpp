// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <memory>
#include <utility>

namespace caesura::comm {

namespace impl {

/// Something under way. Throws `Error` (communication) if a peer or the network fails or the time-out is over.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;
  /// Whether it is complete; moves it on if not. Never waits.
  virtual bool test() = 0;
  virtual void wait() = 0;
};

}  // namespace impl

/// An operation under way. It keeps the Views that it reads and writes alive.
///
/// After `wait()`, work launched on the operation's execution space instance sees the received rows, and may
/// overwrite the sent ones; the host sees them after a fence of that instance. A default one is complete.
class [[nodiscard]] Request {
 public:
  Request() = default;
  explicit Request(std::shared_ptr<impl::Operation> operation) : operation_(std::move(operation)) {}
  Request(Request&&) noexcept = default;
  Request& operator=(Request&& other) {
    if (this != &other) {
      wait();
      operation_ = std::move(other.operation_);
    }
    return *this;
  }
  /// Waits; an error that nobody can catch any more is dropped here and met by the next operation.
  ~Request() {
    try {
      wait();
    } catch (...) {  // NOLINT(bugprone-empty-catch): a destructor has nobody to tell
    }
  }

  /// Whether the operation is complete; never waits. Moves transfers on: calling it between pieces of work lets
  /// them overlap.
  /// \throws Error (communication) as `wait`.
  bool test() {
    if (operation_ && operation_->test()) operation_.reset();
    return !operation_;
  }

  /// Waits until the operation is complete.
  /// \throws Error (communication) that names operation, peer, bytes and time, if a peer fails or is late.
  void wait() {
    if (const auto operation = std::exchange(operation_, nullptr)) operation->wait();
  }

 private:
  std::shared_ptr<impl::Operation> operation_;
};

}  // namespace caesura::comm
