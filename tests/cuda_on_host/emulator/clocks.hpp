// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace caesura::cuda_on_host {

/// A moment of one agent: a thread, or hardware that works beside the threads.
struct Epoch {
  std::int32_t agent = -1;
  std::uint32_t time = 0;
};

/// What has happened before what: a vector clock for each agent of a block. Mattern 1988, "Virtual time and global states
/// of distributed systems".
class Clocks {
 public:
  using Vector = std::vector<std::uint32_t>;

  explicit Clocks(int agents) : agents_(static_cast<std::size_t>(agents)), times_(agents_ * agents_), fences_(agents_) {
    for (std::size_t i = 0; i < agents_; ++i) times_[i * agents_ + i] = 1;
  }

  int agents() const { return static_cast<int>(agents_); }
  Vector nothing() const { return Vector(agents_, 0); }

  /// What \p agent knows: the time of each agent.
  const std::uint32_t* of(int agent) const { return times_.data() + static_cast<std::size_t>(agent) * agents_; }
  Epoch now(int agent) const { return {agent, of(agent)[agent]}; }

  /// Whether \p agent has synchronized with what \p epoch's agent did then.
  bool knows(int agent, Epoch epoch) const { return of(agent)[epoch.agent] >= epoch.time; }

  /// Hands what \p agent knows to those that \p into is given to; what it does later is not part of it.
  void release(int agent, Vector& into) {
    join(into.data(), of(agent));
    ++own_time(agent);
  }
  void acquire(int agent, const Vector& released) { join(row(agent), released.data()); }

  /// What \p agent wrote before may be read by copies and tensor cores that know of it.
  void fence_async_proxy(int agent) {
    fences_[static_cast<std::size_t>(agent)].push_back(own_time(agent));
    ++own_time(agent);
  }
  /// Whether \p agent knows of a fence by the writer, behind what it wrote at \p epoch.
  bool knows_fence(int agent, Epoch epoch) const {
    const auto& fences = fences_[static_cast<std::size_t>(epoch.agent)];
    const auto fence = std::lower_bound(fences.begin(), fences.end(), epoch.time);
    return fence != fences.end() && of(agent)[epoch.agent] > *fence;
  }

 private:
  std::uint32_t* row(int agent) { return times_.data() + static_cast<std::size_t>(agent) * agents_; }
  std::uint32_t& own_time(int agent) { return row(agent)[agent]; }
  void join(std::uint32_t* into, const std::uint32_t* other) const {
    for (std::size_t i = 0; i < agents_; ++i) into[i] = std::max(into[i], other[i]);
  }

  std::size_t agents_;
  Vector times_;                // a row for each agent
  std::vector<Vector> fences_;  // of each agent: when
};

}  // namespace caesura::cuda_on_host
