// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/checks.hpp"
#include "impl/plan.hpp"
#include "impl/transport.hpp"
#include <caesura/comm/communicator.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// What all handles of a communicator share on one rank.
class Endpoint {
 public:
  Endpoint(std::shared_ptr<Transport> transport, bool checks) : transport_(std::move(transport)), checks_on_(checks) {}

  const std::shared_ptr<Transport>& transport() const { return transport_; }
  int rank() const { return transport_->rank(); }
  int size() const { return transport_->size(); }

  bool checks_on() const { return checks_on_; }
  /// Compares with all ranks what is about to be exchanged. Waits for them.
  /// \throws Error (communication), the same on all ranks, if two do not agree
  void check(const Instance& instance, const Announcement& announcement);

  void count(std::int64_t sent, std::int64_t received) {
    bytes_sent_ += sent;
    bytes_received_ += received;
  }
  std::int64_t bytes_sent() const { return bytes_sent_; }
  std::int64_t bytes_received() const { return bytes_received_; }

  /// A plan for this key that is not under way: one of those used last, or what \p make returns.
  template <class Make>
  std::shared_ptr<Plan> plan(const PlanKey& key, const Make& make) {
    if (std::shared_ptr<Plan> found = plans_.find(key)) return found;
    return plans_.add(key, make());
  }
  std::int64_t memory_bytes() const { return plans_.memory_bytes(); }

 private:
  std::shared_ptr<Transport> transport_;  // outlives what was prepared with it
  bool checks_on_;
  std::unique_ptr<Comparison> comparison_;
  std::int64_t bytes_sent_ = 0, bytes_received_ = 0;
  PlanCache plans_;
};

}  // namespace caesura::comm::impl
