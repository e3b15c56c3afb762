// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/forward.hpp"
#include "backends/host_simd/forward_in_place.hpp"
#include "backends/host_simd/heads.hpp"
#include "backends/host_simd/host_simd.hpp"
#include "backends/host_simd/key_source.hpp"
#include "backends/host_simd/scratch.hpp"

namespace caesura::host_simd {

template <class Scalar, class Words, class Space>
void launch_forward_in_place(const Space& space, const ForwardProblem& problem) {
  using Functor = ForwardInPlace<Space, Scalar, Words>;
  const AttentionShape& shape = problem.shape;
  const ItemsInPlace items(shape.total_q, group_rows, group_rows / 4, shape.heads_kv, space.concurrency());
  Arena counting(nullptr);
  const typename Functor::Scratch sizes(counting, shape);
  portable::launch_items<Space, portable::Tile<Space, typename Words::Real>>(
      space, "caesura::forward::host_simd", items.count, counting.used(),
      Functor{problem, portable::DropoutRule(shape), items.units, items.heads * (shape.heads_q / shape.heads_kv),
              counting.used()});
}

template <class Scalar, class Words, class Space>
void launch_forward(const Space& space, const ForwardProblem& problem) {
  using Functor = Forward<Space, Scalar, Words>;
  using Tile = portable::Tile<Space, typename Words::Real>;
  const AttentionShape& shape = problem.shape;
  const int group = shape.heads_q / shape.heads_kv;
  const int of_group = heads_of_item(group);
  // Measured with documents of one length: the same at about 400 tokens of dim 64, at 270 of dim 128.
  const double break_even = shape.dim_qk + shape.dim_v <= 128 ? 2.9 : 2.5;
  // In place, steps begin where a slice's keys do.
  if (!problem.aligned_steps && key_source(problem, group, key_block, break_even) == KeySource::local) {
    launch_forward_in_place<Scalar, Words>(space, problem);
    return;
  }
  PackedKeys<Words> keys(shape.total_k, shape.dim_qk, shape.dim_v);
  const int batch = heads_in_flight(shape, keys.bytes(1));
  keys.place(Scratch::of_this_thread().reserve(keys.bytes(batch)), batch);
  for (int first = 0; first < shape.heads_kv; first += batch) {
    const int heads = std::min(batch, shape.heads_kv - first);
    const int of_item = heads_of_packed_item(problem, heads * group, of_group, space.concurrency());
    launch_range(
        space, "caesura::forward::host_simd::pack", keys.blocks,
        PackKeys<Words, Scalar>{keys, problem.k, problem.v, shape.total_k, first, heads, shape.dim_qk, shape.dim_v});
    Arena counting(nullptr);
    const typename Functor::Scratch sizes(counting, shape, of_item);
    portable::launch_items<Space, Tile>(
        space, "caesura::forward::host_simd", std::int64_t{problem.rows.schedule.tiles} * heads * group / of_item,
        counting.used(),
        Functor{problem, portable::DropoutRule(shape), keys, first * group, heads * group, of_item, counting.used()});
  }
}

template <class Space, class Scalar>
void forward(const Space& space, const ForwardProblem& problem) {
  launch_forward<Scalar, RealWords<Scalar>>(space, problem);
}

}  // namespace caesura::host_simd
