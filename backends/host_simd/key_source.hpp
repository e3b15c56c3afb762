// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <algorithm>
#include <cstdint>

namespace caesura::host_simd {

/// How a work item comes to its keys.
enum class KeySource : std::uint8_t {
  packed,  ///< all blocks were packed before: many tiles read each
  local    ///< the item reads them where they lie or packs what it reads: short documents, narrow windows
};

/// Query heads of an item that packs its keys: they share the block.
inline int heads_of_item(int group) {
  int heads = std::min(group, 4);
  while (group % heads != 0) --heads;
  return heads;
}

/// Query heads of an item that finds its keys packed: they fetch a block once, as long as there is work for all threads.
/// \p heads are those of a launch.
inline int heads_of_packed_item(const ForwardProblem& problem, int heads, int heads_of_item, int threads) {
  const std::int64_t items = std::int64_t{problem.rows.schedule.tiles} * heads / heads_of_item;
  return items >= std::int64_t{8} * threads ? heads_of_item : 1;
}

/// Whether packing all keys first pays: a block that is packed is written to memory and read again, but products read it
/// faster, and no item packs it for itself. \p break_even is the number of items a block.
inline KeySource key_source(const ForwardProblem& problem, int heads_of_item, std::int32_t keys_of_block,
                            double break_even) {
  const TileSchedule& schedule = problem.rows.schedule;
  std::int64_t visits = 0;
  for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
    for (std::int32_t tile = 0; tile < schedule.tiles; ++tile) {
      for (std::int32_t i = 0; i < schedule.run_count(layer, tile); ++i) {
        const TileRange run = schedule.run(layer, tile, i);
        visits += (run.end - 1) / keys_of_block - run.begin / keys_of_block + 1;
      }
    }
  }
  const std::int64_t blocks = (problem.shape.total_k + keys_of_block - 1) / keys_of_block;
  const std::int64_t items = problem.shape.heads_q / problem.shape.heads_kv / heads_of_item;
  return static_cast<double>(visits * items) <= break_even * static_cast<double>(blocks) ? KeySource::local
                                                                                         : KeySource::packed;
}

}  // namespace caesura::host_simd
