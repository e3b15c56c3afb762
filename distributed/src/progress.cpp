// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/progress.hpp"

#include <utility>

namespace caesura::impl {

ProgressThread::ProgressThread(Progress progress) : progress_(progress) {
  if (progress == Progress::own_thread) thread_ = std::thread([this] { work(); });
}

ProgressThread::~ProgressThread() {
  try {
    wait();
  } catch (...) {  // NOLINT(bugprone-empty-catch): whoever unwinds has an error already
  }
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ProgressThread::run(Job& job) {
  if (progress_ == Progress::caller) {
    job.start();
    job_ = &job;
    done_ = false;
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    job_ = &job;
    done_ = false;
  }
  changed_.notify_all();
}

void ProgressThread::wait() {
  if (progress_ == Progress::caller) {
    done_ = true;
    if (Job* const job = std::exchange(job_, nullptr)) job->finish();
    return;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return done_; });
  if (const std::exception_ptr error = std::exchange(error_, nullptr)) std::rethrow_exception(error);
}

void ProgressThread::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ends_ || job_; });
    if (!job_) return;
    Job* const job = std::exchange(job_, nullptr);
    lock.unlock();
    std::exception_ptr error;
    try {
      job->start();
      job->finish();
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    error_ = error;
    done_ = true;
    changed_.notify_all();
  }
}

}  // namespace caesura::impl
