// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/backward_in_place.hpp"
#include "backends/host_simd/backward_of_clusters.hpp"
#include "backends/host_simd/backward_of_groups.hpp"
#include "backends/host_simd/heads.hpp"
#include "backends/host_simd/host_simd.hpp"
#include "backends/host_simd/scratch.hpp"
#include "backends/portable/launch_delta.hpp"

// Clusters are taken one way or another (`Way`), each on its own: packed documents are of all lengths.

namespace caesura::host_simd {

template <class Scalar, class Space>
void launch_in_place(const Space& space, const BackwardProblem& problem, std::span<const Cluster> clusters) {
  if (clusters.empty()) return;
  using Functor = BackwardInPlace<Space, Scalar>;
  const AttentionShape& shape = problem.shape;
  const auto count = static_cast<std::int64_t>(clusters.size());
  const std::int64_t rows = std::max<std::int64_t>(rows_of(clusters), 1);
  const std::int64_t of_group = std::max<std::int64_t>(count * group_rows / rows, 1);
  const ItemsInPlace items(count, of_group, (of_group + 3) / 4, shape.heads_kv, space.concurrency());
  Arena counting(nullptr);
  const typename Functor::Scratch sizes(counting, shape);
  portable::launch_items<Space, portable::Tile<Space, accumulator_t<Scalar>>>(
      space, "caesura::backward::host_simd::in_place", items.count, counting.used(),
      Functor{problem, portable::PairGradient<accumulator_t<Scalar>>(shape), clusters.data(), count, items.units,
              items.heads, counting.used()});
}

template <class Scalar, class Words, class Space>
void launch_clusters(const Space& space, const BackwardProblem& problem, std::span<const Cluster> clusters) {
  if (clusters.empty()) return;
  using Functor = BackwardOfClusters<Space, Scalar, Words>;
  const BackwardBlocks<Words, Scalar> blocks(problem);
  std::int64_t most_keys = 0;
  for (const Cluster& cluster : clusters) most_keys = std::max(most_keys, cluster.keys());
  Arena counting(nullptr);
  const typename Functor::Scratch sizes(counting, blocks.layout, most_keys, problem.rows.intervals.layers);
  const typename Functor::Threads threads;
  space.fence();  // what groups have packed
  std::byte* const memory = Scratch::of_this_thread().reserve(threads.size() * counting.used());
  launch_range(space, "caesura::backward::host_simd::clusters",
               static_cast<std::int64_t>(clusters.size()) * problem.shape.heads_kv,
               Functor{blocks, BackwardProducts<Scalar, Words>(problem), clusters.data(), most_keys, threads, memory,
                       counting.used()});
}

template <class Scalar, class Words, class Space>
void launch_groups(const Space& space, const BackwardProblem& problem, std::span<const Cluster> clusters) {
  if (clusters.empty()) return;
  using Layout = BackwardLayout<Words>;
  const AttentionShape& shape = problem.shape;
  Scratch& scratch = Scratch::of_this_thread();
  BackwardOrder& order = scratch.order();
  order.cut(clusters, backward_block, rows_of_group(rows_of(clusters), shape.heads_kv, space.concurrency()));

  const FindSliceRanges find = order.slices(problem.rows.intervals, Layout::lanes, Layout::slices);
  launch_range(space, "caesura::backward::host_simd::ranges", find.items(), find);
  space.fence();
  order.link(find);

  PackedGroups<Words> packed(shape, order);
  const int batch = heads_in_flight(shape, packed.bytes(1), order, space.concurrency());
  const auto q_groups = static_cast<std::int64_t>(order.queries().groups.size());
  const auto k_groups = static_cast<std::int64_t>(order.keys().groups.size());
  const std::int64_t gate_bytes =
      PairGates::counters(q_groups, k_groups, batch) * static_cast<std::int64_t>(sizeof(std::int32_t));
  std::byte* const memory = scratch.reserve(packed.bytes(batch) + gate_bytes);
  packed.place(memory, batch);
  auto* const counters = reinterpret_cast<std::int32_t*>(memory + packed.bytes(batch));

  const BackwardBlocks<Words, Scalar> blocks(problem);
  for (int first = 0; first < shape.heads_kv; first += batch) {
    const int heads = std::min(batch, shape.heads_kv - first), first_q = first * packed.group;
    const auto for_key_blocks = [&](const char* label, const auto& work) {
      launch_range(space, label, heads * packed.k_blocks, [=](std::int64_t item) {
        const std::int64_t head = item / packed.k_blocks, block = item % packed.k_blocks;
        work(packed.k_rows[block], first + static_cast<int>(head), packed.key_block(head, block));
      });
    };
    const auto for_query_blocks = [&](const char* label, const auto& work) {
      launch_range(space, label, heads * packed.group * packed.q_blocks, [=](std::int64_t item) {
        const std::int64_t head = item / packed.q_blocks, block = item % packed.q_blocks;
        work(packed.q_rows[block], first_q + static_cast<int>(head), packed.query_block(head, block));
      });
    };
    for_key_blocks("caesura::backward::host_simd::pack_keys",
                   [=](RowRange own, int head, const KeyBlock<Words>& to) { blocks.pack_keys(own, head, to); });
    for_query_blocks("caesura::backward::host_simd::pack_queries",
                     [=](RowRange own, int head, const QueryBlock<Words>& to) { blocks.pack_queries(own, head, to); });
    const std::span<const GroupPair> pairs = order.pairs();
    launch_range(
        space, "caesura::backward::host_simd", static_cast<std::int64_t>(pairs.size()) * heads,
        BackwardOfGroups<Scalar, Words>{BackwardProducts<Scalar, Words>(problem), packed, pairs.data(),
                                        order.queries().groups.data(), order.keys().groups.data(),
                                        PairGates(counters, q_groups, k_groups, heads), find.ranges, heads, first});
    for_query_blocks("caesura::backward::host_simd::store_queries",
                     [=](RowRange own, int head, const QueryBlock<Words>& from) {
                       blocks.store_queries(own, head, from);
                       fence_streams();
                     });
    for_key_blocks("caesura::backward::host_simd::store_keys",
                   [=](RowRange own, int head, const KeyBlock<Words>& from) {
                     blocks.store_keys(own, head, from);
                     fence_streams();
                   });
  }
}

/// What one thread may pack of a cluster: what a core's second cache holds, or its share of the last one and of the memory
/// that the caller grants.
template <class Threads>
std::int64_t bytes_of_thread(const AttentionShape& shape, const Threads& threads) {
  constexpr std::int64_t least = 1 << 20;
  const HostTopology& host = host_topology();
  return std::max({host.cache_bytes(2), std::min(host.cache_bytes(3), shape.pack_bytes) / threads.size(), least});
}

template <class Scalar, class Words, class Space>
void launch_backward(const Space& space, const BackwardProblem& problem) {
  using Real = typename Words::Real;
  const AttentionShape& shape = problem.shape;
  Clusters& clusters = Scratch::of_this_thread().clusters();
  clusters.build(problem.rows.intervals, shape.total_k);
  const typename BackwardOfClusters<Space, Scalar, Words>::Threads threads;
  const std::int64_t most_keys =
      bytes_of_thread(shape, threads) / bytes_of<KeyBlock<Words>>(BackwardLayout<Words>(shape)) * backward_block;
  clusters.arrange([&](const Cluster& cluster) {
    if (Words::pack == 1 && cluster.keys() <= keys_in_place<Real>) return Way::in_place;
    // One work item among many, so that threads end together. Sums have the same order either way.
    const bool is_small = cluster.pairs * 4 * space.concurrency() <= clusters.pairs() * shape.heads_kv;
    return is_small && cluster.keys() <= most_keys ? Way::one_thread : Way::groups;
  });
  launch_groups<Scalar, Words>(space, problem, clusters.of(Way::groups));
  launch_clusters<Scalar, Words>(space, problem, clusters.of(Way::one_thread));
  if constexpr (Words::pack == 1) launch_in_place<Scalar>(space, problem, clusters.of(Way::in_place));
  portable::launch_sink<Space, Scalar>(space, problem, "caesura::backward::host_simd::sink");
}

template <class Space, class Scalar>
void backward(const Space& space, const BackwardProblem& problem) {
  launch_backward<Scalar, RealWords<Scalar>>(space, problem);
}

}  // namespace caesura::host_simd
