// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_tile/backward.hpp"

#include "backends/host_simd/heads.hpp"
#include "backends/host_simd/scratch.hpp"
#include "backends/host_tile/host_tile.hpp"
#include "backends/portable/launch_delta.hpp"

namespace caesura::host_tile {

template <class Space>
void backward(const Space& space, const BackwardProblem& problem) {
  using Tile = portable::Tile<Space, float>;
  using host_simd::launch_range;
  const AttentionShape& shape = problem.shape;
  PackedBackward packed(shape);
  const std::int64_t q_blocks = packed.layout.q_blocks, k_blocks = packed.layout.k_blocks;
  const int group = packed.group;
  host_simd::Scratch& scratch = host_simd::Scratch::of_this_thread();
  host_simd::BackwardOrder& order = scratch.order();
  const std::int64_t group_size = host_simd::rows_of_group(shape.total_q, shape.heads_kv, space.concurrency());
  const host_simd::Cluster all = {.q_end = shape.total_q, .k_end = shape.total_k};
  order.cut({&all, 1}, backward_block, group_size);
  const host_simd::FindSliceRanges find = order.slices(problem.rows.intervals, slice_rows, block_slices);
  launch_range(space, "caesura::backward::host_tile::ranges", find.items(), find);
  space.fence();
  order.link(find);
  const int batch = host_simd::heads_in_flight(shape, packed.bytes(1), order, space.concurrency());
  std::byte* const memory = scratch.reserve(packed.bytes(batch));
  packed.place(memory, batch);
  Arena counting(nullptr);
  const PairBlock block(counting);

  portable::launch_delta<Space, bfloat16>(space, problem, "caesura::backward::host_tile::delta",
                                          "caesura::backward::host_tile::sink");
  for (int first = 0; first < shape.heads_kv; first += batch) {
    const int heads = std::min(batch, shape.heads_kv - first);
    launch_range(space, "caesura::backward::host_tile::pack_keys", heads * k_blocks,
                 PackKeyBlock{packed, problem, first});
    launch_range(space, "caesura::backward::host_tile::pack_queries", heads * group * q_blocks,
                 PackQueryBlock{packed, problem, first * group});
    for (std::size_t i = 0; i < order.levels(); ++i) {
      const std::span<const GroupPair> level = order.level(i);
      portable::launch_items<Space, Tile>(
          space, "caesura::backward::host_tile", static_cast<std::int64_t>(level.size()) * heads, counting.used(),
          Backward<Space>{problem, packed, portable::PairGradient<float>(shape),
                          portable::PairGradient<float>::score_factor(shape), level.data(), find.ranges,
                          group_size / backward_block, heads, first, counting.used()});
    }
    launch_range(space, "caesura::backward::host_tile::store_queries", heads * group * q_blocks,
                 StoreQueryBlock{packed, problem, first * group});
    launch_range(space, "caesura::backward::host_tile::store_keys", heads * k_blocks,
                 StoreKeyBlock{packed, problem, first});
  }
}

#define CAESURA_INSTANTIATE(Space) template void backward<Space>(const Space&, const BackwardProblem&);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::host_tile
