// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>
#include <nccl/watch.hpp>
#include <nccl/work.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace caesura::comm::impl {

/// A non-blocking NCCL communicator, from its making to its end, and whoever looks after it.
///
/// A thread of its own looks at what runs, because the thread of the rank may be in a fence of its stream: a transfer
/// that is late, or an error that NCCL found in the background, aborts the communicator, which ends its kernels, and
/// the fence returns. What was wrong is kept; every call after that throws it.
class NcclConnection {
 public:
  /// What a call of NCCL returned, and its name.
  struct Returned {
    ncclResult_t code = ncclSuccess;
    const char* call = "";
  };
  using Clock = NcclWatch::Clock;

  NcclConnection(int rank, int device, Clock::duration timeout);
  NcclConnection(const NcclConnection&) = delete;
  NcclConnection& operator=(const NcclConnection&) = delete;
  ~NcclConnection();

  int device() const { return device_; }

  /// Makes the communicator by \p call, which is given where to put it, and waits until it is ready.
  void connect(const NcclWork& work, const char* name, const std::function<ncclResult_t(ncclComm_t*)>& call);
  /// Makes \p child from this one; a null communicator if \p color is negative.
  void split(const NcclWork& work, int color, int key, NcclConnection& child);
  /// The rank in this communicator, and its size.
  void place(const NcclWork& work, int& rank, int& size);

  /// Calls \p call in a group, in the order of \p stream. NCCL may still be at putting it there when this returns.
  void launch(const std::shared_ptr<const NcclWork>& work, cudaStream_t stream,
              const std::function<Returned(ncclComm_t)>& call);
  /// Whether everything launched is in its stream.
  bool launched(const NcclWork& work);
  void wait_launched(const NcclWork& work);

 private:
  using Lock = std::unique_lock<std::mutex>;

  // All of these with the lock held; those that take it let go of it while they wait.
  void check(ncclResult_t code, const NcclWork& work, const char* call);
  bool ready(const NcclWork& work);
  void settle(const NcclWork& work, Lock& lock);
  void finish_launch();
  [[noreturn]] void fail(std::string words);
  void abort(std::string words) noexcept;
  void finalize(Lock& lock);
  // The guard.
  void look_after();

  int rank_;
  int device_;
  Clock::duration timeout_;
  std::mutex mutex_;  // of all below; NCCL's communicators are not to be used by two threads at once
  ncclComm_t comm_ = nullptr;
  std::string failure_;  // empty: none
  bool launching_ = false;
  cudaStream_t stream_ = nullptr;  // of the launch under way
  NcclWatch watch_;
  std::condition_variable something_to_watch_;
  bool ending_ = false;
  std::thread guard_;
};

}  // namespace caesura::comm::impl
