// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/backward.hpp"
#include "backends/host_simd/backward_in_place.hpp"
#include "backends/host_simd/heads.hpp"
#include "backends/host_simd/host_simd.hpp"
#include "backends/host_simd/scratch.hpp"
#include "backends/portable/launch_delta.hpp"

namespace caesura::host_simd {

/// For small clusters.
template <class Scalar, class Space>
void launch_backward_in_place(const Space& space, const BackwardProblem& problem, std::span<const Cluster> clusters) {
  using Functor = BackwardInPlace<Space, Scalar>;
  const AttentionShape& shape = problem.shape;
  const auto count = static_cast<std::int64_t>(clusters.size());
  const std::int64_t of_group = std::max<std::int64_t>(count * group_rows / shape.total_q, 1);
  const ItemsInPlace items(count, of_group, (of_group + 3) / 4, shape.heads_kv, space.concurrency());
  Arena counting(nullptr);
  const typename Functor::Scratch sizes(counting, shape);
  portable::launch_items<Space, portable::Tile<Space, accumulator_t<Scalar>>>(
      space, "caesura::backward::host_simd", items.count, counting.used(),
      Functor{problem, portable::PairGradient<accumulator_t<Scalar>>(shape), clusters.data(), count, items.units,
              items.heads, counting.used()});
  portable::launch_sink<Space, Scalar>(space, problem, "caesura::backward::host_simd::sink");
}

template <class Scalar, class Words, class Space>
void launch_backward(const Space& space, const BackwardProblem& problem) {
  using Real = typename Words::Real;
  const AttentionShape& shape = problem.shape;
  Scratch& scratch = Scratch::of_this_thread();
  if constexpr (Words::pack == 1) {
    if (scratch.clusters().build(problem.rows.intervals, shape.total_k, cluster_keys)) {
      launch_backward_in_place<Scalar>(space, problem, scratch.clusters().all());
      return;
    }
  }
  PackedBackward<Words> packed(shape);
  const std::int64_t q_blocks = packed.layout.q_blocks, k_blocks = packed.layout.k_blocks;
  const int group = packed.group;
  BackwardOrder& order = scratch.order();
  const std::int64_t group_size = rows_of_group(shape, space.concurrency());
  order.build(problem.rows, group_size);
  const int batch = heads_in_flight(shape, packed.bytes(1), order, space.concurrency());
  const std::int64_t slices = q_blocks * BackwardLayout<Words>::slices;
  const std::int64_t range_count = slices * problem.rows.intervals.layers;
  const std::int64_t q_groups = (shape.total_q + group_size - 1) / group_size;
  const std::int64_t k_groups = (shape.total_k + group_size - 1) / group_size;
  const std::int64_t range_bytes = range_count * static_cast<std::int64_t>(sizeof(SliceRange));
  const std::int64_t gate_bytes =
      PairGates::counters(q_groups, k_groups, batch) * static_cast<std::int64_t>(sizeof(std::int32_t));
  std::byte* const memory = scratch.reserve(packed.bytes(batch) + range_bytes + gate_bytes);
  packed.place(memory, batch);
  auto* const ranges = reinterpret_cast<SliceRange*>(memory + packed.bytes(batch));
  auto* const counters = reinterpret_cast<std::int32_t*>(memory + packed.bytes(batch) + range_bytes);
  const Real score_factor = portable::PairGradient<Real>::score_factor(shape);

  portable::launch_delta<Space, Scalar>(space, problem, "caesura::backward::host_simd::delta",
                                        "caesura::backward::host_simd::sink");
  launch_range(space, "caesura::backward::host_simd::ranges", range_count,
               FindSliceRanges<Real>{problem.rows.intervals, slices, ranges});
  for (int first = 0; first < shape.heads_kv; first += batch) {
    const int heads = std::min(batch, shape.heads_kv - first);
    launch_range(space, "caesura::backward::host_simd::pack_keys", heads * k_blocks,
                 PackKeyBlock<Words, Scalar>{packed, problem, first});
    launch_range(space, "caesura::backward::host_simd::pack_queries", heads * group * q_blocks,
                 PackQueryBlock<Words, Scalar>{packed, problem, first * group, score_factor});
    const std::span<const GroupPair> pairs = order.pairs();
    launch_range(
        space, "caesura::backward::host_simd", static_cast<std::int64_t>(pairs.size()) * heads,
        Backward<Scalar, Words>{problem, packed, portable::PairGradient<Real>(shape), score_factor, pairs.data(),
                                PairGates(counters, q_groups, k_groups, heads), ranges, group_size, heads, first});
    launch_range(space, "caesura::backward::host_simd::store_queries", heads * group * q_blocks,
                 StoreQueryBlock<Words, Scalar>{packed, problem, first * group});
    launch_range(space, "caesura::backward::host_simd::store_keys", heads * k_blocks,
                 StoreKeyBlock<Words, Scalar>{packed, problem, first});
  }
}

template <class Space, class Scalar>
void backward(const Space& space, const BackwardProblem& problem) {
  launch_backward<Scalar, RealWords<Scalar>>(space, problem);
}

}  // namespace caesura::host_simd
