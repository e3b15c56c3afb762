// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <nccl/check.hpp>
#include <nccl/watch.hpp>

#include <utility>

namespace caesura::comm::impl {

NcclWatch::~NcclWatch() {
  forget();
  for (const Entry& entry : unused_) {
    static_cast<void>(cudaEventDestroy(entry.begin));  // the program may end: CUDA may be gone already
    static_cast<void>(cudaEventDestroy(entry.end));
  }
}

void NcclWatch::begin(std::shared_ptr<const NcclWork> work, cudaStream_t stream) {
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  cuda_check(cudaStreamIsCapturing(stream, &capture), *work, "cudaStreamIsCapturing");
  if (capture != cudaStreamCaptureStatusNone) return;
  if (unused_.empty()) {
    Entry made;
    cuda_check(cudaEventCreateWithFlags(&made.begin, cudaEventDisableTiming), *work, "cudaEventCreateWithFlags");
    if (const cudaError_t code = cudaEventCreateWithFlags(&made.end, cudaEventDisableTiming); code != cudaSuccess) {
      static_cast<void>(cudaEventDestroy(made.begin));
      cuda_check(code, *work, "cudaEventCreateWithFlags");
    }
    unused_.push_back(std::move(made));
  }
  opened_ = std::move(unused_.back());
  unused_.pop_back();
  opened_->work = std::move(work);
  cuda_check(cudaEventRecord(opened_->begin, stream), *opened_->work, "cudaEventRecord");
}

void NcclWatch::end(cudaStream_t stream) {
  if (!opened_) return;
  cuda_check(cudaEventRecord(opened_->end, stream), *opened_->work, "cudaEventRecord");
  running_.push_back(*std::exchange(opened_, std::nullopt));
}

std::optional<std::string> NcclWatch::look() {
  while (!running_.empty()) {
    Entry& first = running_.front();
    const cudaError_t code = cudaEventQuery(first.end);
    if (code != cudaErrorNotReady) {
      if (code != cudaSuccess) return text(first.work->text(), ": cudaEventQuery: ", cudaGetErrorString(code));
      put_back(first);
      running_.pop_front();
      continue;
    }
    if (!first.running_since && cudaEventQuery(first.begin) == cudaSuccess) first.running_since = Clock::now();
    const std::chrono::duration<double> elapsed =
        first.running_since ? Clock::now() - *first.running_since : Clock::duration(0);
    if (elapsed < timeout_) return std::nullopt;
    return text(first.work->text(), ": not complete after ", elapsed.count(), " s (time-out ",
                std::chrono::duration<double>(timeout_).count(), " s)");
  }
  return std::nullopt;
}

void NcclWatch::forget() {
  for (Entry& entry : running_) put_back(entry);
  running_.clear();
  if (opened_) put_back(*opened_);
  opened_.reset();
}

void NcclWatch::put_back(Entry& entry) {
  unused_.push_back({.begin = entry.begin, .end = entry.end, .work = nullptr, .running_since = std::nullopt});
}

}  // namespace caesura::comm::impl
