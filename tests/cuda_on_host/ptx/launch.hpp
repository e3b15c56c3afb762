// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/launches.hpp"

#include <Kokkos_Core.hpp>

#include <ptx/thread.hpp>

#include <cstdint>

namespace caesura::ptx {

template <class Space, class Kernel>
void launch(const Space& space, const char* label, std::int64_t blocks, const Kernel& kernel) {
  space.fence();  // what it reads may still be computed
  std::uint64_t id = 0;
  const bool is_watched = Kokkos::Tools::profileLibraryLoaded();
  if (is_watched) Kokkos::Tools::beginParallelFor(label, Kokkos::Tools::Experimental::device_id(space), &id);
  cuda_on_host::launch(blocks, Kernel::threads, Kernel::shared_bytes, [&] { kernel(); });
  if (is_watched) Kokkos::Tools::endParallelFor(id);
}

}  // namespace caesura::ptx
