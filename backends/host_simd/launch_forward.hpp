// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/forward.hpp"
#include "backends/host_simd/heads.hpp"
#include "backends/host_simd/host_simd.hpp"
#include "backends/host_simd/scratch.hpp"

namespace caesura::host_simd {

/// Whether packing all keys first pays: a block that is packed is written to memory and read again, one that an item packs
/// for itself stays in its cache, but is packed by each item.
inline KeySource key_source(const ForwardProblem& problem, int heads_of_item) {
  constexpr std::int64_t break_even = 4;  // items a block; by the traffic of a memory-bound call, not measured
  const TileSchedule& schedule = problem.rows.schedule;
  std::int64_t visits = 0;
  for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
    for (std::int32_t tile = 0; tile < schedule.tiles; ++tile) {
      for (std::int32_t i = 0; i < schedule.run_count(layer, tile); ++i) {
        const TileRange run = schedule.run(layer, tile, i);
        visits += (run.end - 1) / key_block - run.begin / key_block + 1;
      }
    }
  }
  const std::int64_t blocks = (problem.shape.total_k + key_block - 1) / key_block;
  const std::int64_t items = problem.shape.heads_q / problem.shape.heads_kv / heads_of_item;
  return visits * items <= break_even * blocks ? KeySource::local : KeySource::packed;
}

template <class Scalar, class Words, class Space>
void launch_forward(const Space& space, const ForwardProblem& problem) {
  using Functor = Forward<Space, Scalar, Words>;
  using Tile = portable::Tile<Space, typename Words::Real>;
  const AttentionShape& shape = problem.shape;
  const int group = shape.heads_q / shape.heads_kv;
  int heads_of_item = std::min(group, 4);
  while (group % heads_of_item != 0) --heads_of_item;

  const KeySource source = key_source(problem, heads_of_item);
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
    run(0, shape.heads_q, heads_of_item);
    return;
  }
  const int batch = heads_in_flight(shape, keys.bytes(1));
  keys.place(Scratch::of_this_thread().reserve(keys.bytes(batch)), batch);
  for (int first = 0; first < shape.heads_kv; first += batch) {
    const int heads = std::min(batch, shape.heads_kv - first);
    launch_range(
        space, "caesura::forward::host_simd::pack", keys.blocks,
        PackKeys<Words, Scalar>{keys, problem.k, problem.v, shape.total_k, first, heads, shape.dim_qk, shape.dim_v});
    run(first * group, heads * group, 1);
  }
}

template <class Space, class Scalar>
void forward(const Space& space, const ForwardProblem& problem) {
  launch_forward<Scalar, RealWords<Scalar>>(space, problem);
}

}  // namespace caesura::host_simd
