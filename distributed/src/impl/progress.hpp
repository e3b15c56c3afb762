// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace caesura::impl {

/// What has to happen beside a computation: started at once, then waited for.
class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;
  virtual void start() = 0;
  virtual void finish() = 0;
};

/// Who makes transfers move on while a rank computes.
enum class Progress : std::uint8_t {
  own_thread,  ///< a thread that waits for them: real overlap, also for what only moves while somebody waits
  caller       ///< nobody until they are waited for; for communicators that only one thread may use
};

/// Runs one job at a time beside its owner's thread.
class ProgressThread {
 public:
  explicit ProgressThread(Progress progress);
  ~ProgressThread();
  ProgressThread(const ProgressThread&) = delete;
  ProgressThread& operator=(const ProgressThread&) = delete;

  /// The job must live until `wait` returned. Nothing else may be under way.
  void run(Job& job);
  /// Until the job is done; throws what it threw. Returns at once if there is none.
  void wait();

 private:
  void work();

  Progress progress_;
  Job* job_ = nullptr;
  bool done_ = true;
  bool ends_ = false;
  std::exception_ptr error_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace caesura::impl
