// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/order.hpp"
#include <caesura/host_topology.hpp>
#include <caesura/problem.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>

namespace caesura::host_simd {

/// The heads of a batch where at most \p most are packed at a time: batches of about the same size.
inline int even_batch(int heads, int most) {
  const int batches = (heads + most - 1) / most;
  return (heads + batches - 1) / batches;
}

/// How many key heads the forward packs at a time: as many as the caller grants memory for.
inline int heads_in_flight(const AttentionShape& shape, std::int64_t bytes_of_head) {
  const std::int64_t fitting = shape.pack_bytes / std::max<std::int64_t>(bytes_of_head, 1);
  return even_batch(shape.heads_kv, static_cast<int>(std::clamp<std::int64_t>(fitting, 1, shape.heads_kv)));
}

/// How many the backward packs at a time: the fewest that a core's second cache does not hold and that keep \p threads
/// busy. Then what is packed, seven tensors and the sums of three, is still in a cache when it is read.
inline int heads_in_flight(const AttentionShape& shape, std::int64_t bytes_of_head, const BackwardOrder& order,
                           int threads) {
  const auto rounds = [&](int heads) {  // of work items
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < order.levels(); ++i)
      sum += (static_cast<std::int64_t>(order.level(i).size()) * heads + threads - 1) / threads;
    return sum;
  };
  const int most = heads_in_flight(shape, bytes_of_head);
  const std::int64_t in_cache = host_topology().cache_bytes(2) / std::max<std::int64_t>(bytes_of_head, 1);
  int heads = static_cast<int>(std::clamp<std::int64_t>(in_cache, 1, most));
  while (heads < most && rounds(heads) * most * 50 > rounds(most) * heads * 51) ++heads;
  return even_batch(shape.heads_kv, heads);
}

/// How work in place is cut into items: some units (rows, clusters) with some key heads.
struct ItemsInPlace {
  std::int64_t units;  ///< of an item
  int heads;           ///< of an item
  std::int64_t count;  ///< of items

  /// Many units an item cut few documents, many heads read memory in order: as long as there is work for all \p threads.
  ItemsInPlace(std::int64_t all_units, std::int64_t most, std::int64_t least, int all_heads, int threads) {
    const std::int64_t wanted = std::int64_t{8} * threads;
    const auto items = [&](std::int64_t size) { return (all_units + size - 1) / size; };
    units = items(most) >= wanted ? most : least;
    const std::int64_t missing = wanted / std::max<std::int64_t>(items(units), 1);
    int parts = static_cast<int>(std::clamp<std::int64_t>(missing, 1, all_heads));
    while (all_heads % parts != 0) ++parts;
    heads = all_heads / parts;
    count = items(units) * parts;
  }
};

/// Calls \p work for each of \p items on the threads of \p space, as they become free.
template <class Space, class Work>
void launch_range(const Space& space, const char* label, std::int64_t items, const Work& work) {
  Kokkos::parallel_for(label,
                       Kokkos::RangePolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>, Kokkos::IndexType<std::int64_t>>(
                           space, 0, items, Kokkos::ChunkSize(1)),
                       work);
}

}  // namespace caesura::host_simd
