// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cuda_runtime_api.h>
#include <nccl/work.hpp>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace caesura::comm::impl {

/// The transfers of one communicator that are in streams and not known to be complete.
///
/// Time counts from when a transfer was first seen to run, not from when it was put behind other work. Locks nothing.
class NcclWatch {
 public:
  using Clock = std::chrono::steady_clock;

  explicit NcclWatch(Clock::duration timeout) : timeout_(timeout) {}
  NcclWatch(const NcclWatch&) = delete;
  NcclWatch& operator=(const NcclWatch&) = delete;
  ~NcclWatch();

  /// Around the calls that put a transfer into a stream. Not while the stream is captured into a graph: then nothing
  /// runs, and there is nothing to watch.
  void begin(std::shared_ptr<const NcclWork> work, cudaStream_t stream);
  void end(cudaStream_t stream);

  bool empty() const { return running_.empty(); }
  /// Forgets what is complete. Says what is wrong if a transfer has failed or is late.
  std::optional<std::string> look();
  void forget();

 private:
  struct Entry {
    cudaEvent_t begin = nullptr;
    cudaEvent_t end = nullptr;
    std::shared_ptr<const NcclWork> work;
    std::optional<Clock::time_point> running_since;
  };

  void put_back(Entry& entry);

  Clock::duration timeout_;
  std::deque<Entry> running_;  // NCCL runs the operations of a communicator in order, whatever their streams
  std::vector<Entry> unused_;
  std::optional<Entry> opened_;  // between begin and end
};

}  // namespace caesura::comm::impl
