// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <ptx/thread.hpp>

#include <cstdint>

namespace caesura::cuda::sm80 {

/// What a block works on: its tile's share of rows, and the head. Heads of a share follow one another, so that they find
/// the streamed rows in the second cache; tiles come in the schedule's order, most work first.
struct WorkItem {
  std::int32_t tile;
  int head;
  std::int64_t begin;
  int count;  ///< rows that exist, at most the block's

  /// Cheap enough to be made again wherever it is needed, which saves registers.
  CAESURA_DEVICE WorkItem(const Lowered& side, int block_rows, int heads) {
    const int block = ptx::opaque(ptx::block_index());
    head = block % heads;
    const int shares = side.schedule.tile_rows / block_rows;
    const int share = block / heads;
    tile = side.schedule.order[share / shares];
    begin = std::int64_t{tile} * side.schedule.tile_rows + std::int64_t{share % shares} * block_rows;
    const std::int64_t rest = side.intervals.rows - begin;
    count = static_cast<int>(rest < 0 ? 0 : rest < block_rows ? rest : block_rows);
  }
};

/// Blocks of a side: its tiles' shares, times heads.
inline std::int64_t blocks_of(const TileSchedule& schedule, int block_rows, std::int32_t heads) {
  return std::int64_t{schedule.tiles} * (schedule.tile_rows / block_rows) * heads;
}

}  // namespace caesura::cuda::sm80
