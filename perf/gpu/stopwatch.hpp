// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

#include <chrono>

namespace caesura::perf {

/// Seconds between two points of an instance's order. On a host: of the clock, between fences.
template <class Space>
class Stopwatch {
 public:
  explicit Stopwatch(const Space& space) : space_(space) {}

  void start() {
    space_.fence();
    begin_ = std::chrono::steady_clock::now();
  }
  double stop() {
    space_.fence();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  Space space_;
  std::chrono::steady_clock::time_point begin_;
};

#ifdef KOKKOS_ENABLE_CUDA
/// By events of the stream, so that the host's part of a call counts only where the device waits for it.
template <>
class Stopwatch<Kokkos::Cuda> {
 public:
  explicit Stopwatch(const Kokkos::Cuda& space) : space_(space) {
    cudaEventCreate(&begin_);
    cudaEventCreate(&end_);
  }
  ~Stopwatch() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  void start() {
    space_.fence();
    cudaEventRecord(begin_, space_.cuda_stream());
  }
  double stop() {
    cudaEventRecord(end_, space_.cuda_stream());
    space_.fence();
    float milliseconds = 0;
    const cudaError_t code = cudaEventElapsedTime(&milliseconds, begin_, end_);
    if (code != cudaSuccess) Kokkos::abort(cudaGetErrorString(code));
    return milliseconds * 1e-3;
  }

 private:
  Kokkos::Cuda space_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};
#endif

}  // namespace caesura::perf
