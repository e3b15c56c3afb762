// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <chrono>

namespace caesura::comm::impl {

/// How a rank passes the time until MPI has something for it, and when it has passed enough.
///
/// MPI moves data only while somebody calls it, so waiting is calling; what changes is what lies between two calls:
/// nothing at first, then the processor is offered to others, and after a long silence the thread sleeps, never for
/// more than a small part of the time it has waited already.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Patience(Clock::duration timeout) : timeout_(timeout) {}

  /// To be called after each test that found nothing complete. False: the time is over.
  bool pause();

  std::chrono::duration<double> elapsed() const { return Clock::now() - begin_; }

 private:
  Clock::duration timeout_;
  Clock::time_point begin_, busy_,
      last_;  // of the first look at the clock, of the last test that moved data, of the last
  int pauses_ = 0;
};

}  // namespace caesura::comm::impl
