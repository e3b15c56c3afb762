// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef KOKKOS_ENABLE_CUDA
#include <caesura/error.hpp>

#include <cuda_runtime.h>
#endif

namespace caesura::comm::in_process {

#ifdef KOKKOS_ENABLE_CUDA

inline constexpr bool memory_is_host_only = false;

/// Between any two places of the process, complete on return.
inline void copy_bytes(std::byte* target, const std::byte* source, std::int64_t bytes) {
  const auto size = static_cast<std::size_t>(bytes);
  const auto on_device = [](const void* pointer) {
    cudaPointerAttributes attributes;
    return cudaPointerGetAttributes(&attributes, pointer) == cudaSuccess && attributes.type == cudaMemoryTypeDevice;
  };
  if (!on_device(target) && !on_device(source)) {
    std::memcpy(target, source, size);
    return;
  }
  cudaError_t result = cudaMemcpyAsync(target, source, size, cudaMemcpyDefault, cudaStreamPerThread);
  if (result == cudaSuccess) result = cudaStreamSynchronize(cudaStreamPerThread);
  require(
      result == cudaSuccess, [&] { return text("in-process copy: bytes = ", bytes, ": ", cudaGetErrorString(result)); },
      ErrorKind::communication);
}

#else

inline constexpr bool memory_is_host_only = true;

inline void copy_bytes(std::byte* target, const std::byte* source, std::int64_t bytes) {
  std::memcpy(target, source, static_cast<std::size_t>(bytes));
}

#endif

}  // namespace caesura::comm::in_process
