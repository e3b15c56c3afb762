// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <ptx/thread.hpp>

#include <cstdint>

namespace caesura::ptx {

/// \throws Error naming the call if \p code is not success.
inline void check(cudaError_t code, const char* call) {
  require(
      code == cudaSuccess, [&] { return text(call, ": ", cudaGetErrorName(code), ": ", cudaGetErrorString(code)); },
      ErrorKind::resources);
}

template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads, Kernel::blocks_a_processor)
    run_kernel(const __grid_constant__ Kernel kernel) {
  kernel();
}

/// Runs `kernel()` in \p blocks blocks of `Kernel::threads` threads with `Kernel::shared_bytes` of shared memory, in the
/// order of \p space. Kokkos Tools see it as a parallel_for named \p label.
/// \throws Error if it cannot be launched.
template <class Space, class Kernel>
void launch(const Space& space, const char* label, std::int64_t blocks, const Kernel& kernel) {
  if (blocks == 0) return;
  require(
      blocks <= INT32_MAX, [&] { return text(label, ": ", blocks, " blocks: more than ", INT32_MAX); },
      ErrorKind::resources);
  check(cudaFuncSetAttribute(run_kernel<Kernel>, cudaFuncAttributeMaxDynamicSharedMemorySize, Kernel::shared_bytes),
        "cudaFuncSetAttribute");
  std::uint64_t id = 0;
  const bool is_watched = Kokkos::Tools::profileLibraryLoaded();
  if (is_watched) Kokkos::Tools::beginParallelFor(label, Kokkos::Tools::Experimental::device_id(space), &id);
  run_kernel<Kernel>
      <<<static_cast<unsigned>(blocks), Kernel::threads, Kernel::shared_bytes, space.cuda_stream()>>>(kernel);
  if (is_watched) Kokkos::Tools::endParallelFor(id);
  check(cudaGetLastError(), label);
}

}  // namespace caesura::ptx
