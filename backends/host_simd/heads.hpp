// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>

namespace caesura::host_simd {

/// How many key heads are packed at a time: batches of about the same size.
inline int heads_in_flight(const AttentionShape& shape, std::int64_t bytes_of_head) {
  const std::int64_t heads = shape.heads_kv;
  const std::int64_t fitting =
      std::clamp<std::int64_t>(shape.pack_bytes / std::max<std::int64_t>(bytes_of_head, 1), 1, heads);
  const std::int64_t batches = (heads + fitting - 1) / fitting;
  return static_cast<int>((heads + batches - 1) / batches);
}

/// Calls \p work for each of \p items on the threads of \p space, as they become free.
template <class Space, class Work>
void launch_range(const Space& space, const char* label, std::int64_t items, const Work& work) {
  Kokkos::parallel_for(label,
                       Kokkos::RangePolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>, Kokkos::IndexType<std::int64_t>>(
                           space, 0, items, Kokkos::ChunkSize(1)),
                       work);
}

}  // namespace caesura::host_simd
