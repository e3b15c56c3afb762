// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/impl/lowered_storage.hpp>

#include <unistd.h>

namespace caesura::impl {

namespace {

std::int64_t memory_there(Kokkos::HostSpace) {
  return static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

#ifdef KOKKOS_ENABLE_CUDA
std::int64_t memory_there(Kokkos::CudaSpace) {
  std::size_t free_bytes = 0, total_bytes = 0;
  const cudaError_t status = cudaMemGetInfo(&free_bytes, &total_bytes);
  require(
      status == cudaSuccess, [&] { return text("cudaMemGetInfo: ", cudaGetErrorString(status)); },
      ErrorKind::resources);
  return static_cast<std::int64_t>(free_bytes);
}
#endif

}  // namespace

template <class MemorySpace>
void require_memory(std::int64_t bytes, const char* what) {
  const std::int64_t there = memory_there(MemorySpace());
  require(
      bytes <= there,
      [&] {
        return text(what, ": ", bytes, " bytes asked in ", MemorySpace::name(), ": only ", there, " bytes are there");
      },
      ErrorKind::resources);
}

template void require_memory<Kokkos::HostSpace>(std::int64_t, const char*);
#ifdef KOKKOS_ENABLE_CUDA
template void require_memory<Kokkos::CudaSpace>(std::int64_t, const char*);
#endif

}  // namespace caesura::impl
