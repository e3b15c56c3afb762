// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/forward.hpp"
#include "backends/host_simd/heads.hpp"
#include "backends/host_simd/host_simd.hpp"
#include "backends/host_simd/scratch.hpp"

namespace caesura::host_simd {

template <class Scalar, class Words, class Space>
void launch_forward(const Space& space, const ForwardProblem& problem) {
  using Functor = Forward<Space, Scalar, Words>;
  using Tile = portable::Tile<Space, typename Words::Real>;
  const AttentionShape& shape = problem.shape;
  const int group = shape.heads_q / shape.heads_kv;
  const int of_group = heads_of_item(group);
  constexpr std::int64_t break_even = 4;  // by the traffic of a memory-bound call, not measured
  const KeySource source = key_source(problem, of_group, key_block, break_even);
  PackedKeys<Words> keys(shape.total_k, shape.dim_qk, shape.dim_v);
  const auto run = [&](int first, int heads, int of_item) {
    Arena counting(nullptr);
    const typename Functor::Scratch sizes(counting, shape, of_item, source);
    portable::launch_items<Space, Tile>(
        space, "caesura::forward::host_simd", std::int64_t{problem.rows.schedule.tiles} * heads / of_item,
        counting.used(),
        Functor{problem, portable::DropoutRule(shape), keys, source, first, heads, of_item, counting.used()});
  };
  if (source == KeySource::local) {
    run(0, shape.heads_q, of_group);
    return;
  }
  const int batch = heads_in_flight(shape, keys.bytes(1));
  keys.place(Scratch::of_this_thread().reserve(keys.bytes(batch)), batch);
  for (int first = 0; first < shape.heads_kv; first += batch) {
    const int heads = std::min(batch, shape.heads_kv - first);
    launch_range(
        space, "caesura::forward::host_simd::pack", keys.blocks,
        PackKeys<Words, Scalar>{keys, problem.k, problem.v, shape.total_k, first, heads, shape.dim_qk, shape.dim_v});
    run(first * group, heads * group, heads_of_packed_item(problem, heads * group, of_group, space.concurrency()));
  }
}

template <class Space, class Scalar>
void forward(const Space& space, const ForwardProblem& problem) {
  launch_forward<Scalar, RealWords<Scalar>>(space, problem);
}

}  // namespace caesura::host_simd
