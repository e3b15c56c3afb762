// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_tile/forward.hpp"

#include "backends/host_simd/heads.hpp"
#include "backends/host_simd/scratch.hpp"
#include "backends/host_tile/host_tile.hpp"
#include "backends/portable/launch.hpp"

namespace caesura::host_tile {

template <class Space>
void forward(const Space& space, const ForwardProblem& problem) {
  using Tile = portable::Tile<Space, float>;
  const AttentionShape& shape = problem.shape;
  const int group = shape.heads_q / shape.heads_kv;
  const int heads_of_item = host_simd::heads_of_item(group);
  // Packing takes longer than what tiles make of a block: 8 documents of 512 tokens, dim 128, ran at 215 instead of
  // 143 GFLOP/s with 1 instead of 4 here.
  constexpr std::int64_t break_even = 1;
  const KeySource source = host_simd::key_source(problem, heads_of_item, key_block, break_even);
  PackedKeys keys(shape.total_k, shape.dim_qk, shape.dim_v);
  const auto run = [&](int first, int heads, int of_item) {
    Arena counting(nullptr);
    const ForwardScratch sizes(counting, keys, of_item, source);
    portable::launch_items<Space, Tile>(
        space, "caesura::forward::host_tile", std::int64_t{problem.rows.schedule.tiles} * heads / of_item,
        counting.used(),
        Forward<Space>{problem, portable::DropoutRule(shape), keys, source, first, heads, of_item, counting.used()});
  };
  if (source == KeySource::local) {
    run(0, shape.heads_q, heads_of_item);
    return;
  }
  const int batch = host_simd::heads_in_flight(shape, keys.bytes(1));
  keys.place(host_simd::Scratch::of_this_thread().reserve(keys.bytes(batch)), batch);
  for (int first = 0; first < shape.heads_kv; first += batch) {
    const int heads = std::min(batch, shape.heads_kv - first);
    host_simd::launch_range(
        space, "caesura::forward::host_tile::pack", keys.blocks,
        PackKeys{keys, problem.k, problem.v, shape.total_k, first, heads, shape.dim_qk, shape.dim_v});
    run(first * group, heads * group,
        host_simd::heads_of_packed_item(problem, heads * group, heads_of_item, space.concurrency()));
  }
}

#define CAESURA_INSTANTIATE(Space) template void forward<Space>(const Space&, const ForwardProblem&);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::host_tile
