// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/work_item.hpp"
#include <caesura/problem.hpp>

#include <ptx/warp.hpp>

#include <cstdint>

// Which streamed rows a block visits, and what its warps and lanes see of them.

namespace caesura::cuda::sm80 {

/// What several rows see together of the streamed side in one layer.
struct Sight {
  TileRange hull{INT32_MAX, 0};  ///< the union, as one range
  TileRange core{0, INT32_MAX};  ///< what all see; empty if one sees nothing

  CAESURA_DEVICE void join(std::int32_t first, std::int32_t last) {
    if (first < last) {
      hull.begin = first < hull.begin ? first : hull.begin;
      hull.end = last > hull.end ? last : hull.end;
    }
    core.begin = first > core.begin ? first : core.begin;
    core.end = last < core.end ? last : core.end;
  }
  CAESURA_DEVICE void join(const Sight& other) {
    hull.begin = other.hull.begin < hull.begin ? other.hull.begin : hull.begin;
    hull.end = other.hull.end > hull.end ? other.hull.end : hull.end;
    core.begin = other.core.begin > core.begin ? other.core.begin : core.begin;
    core.end = other.core.end < core.end ? other.core.end : core.end;
  }
  CAESURA_DEVICE void join_warp() {
#pragma unroll
    for (int mask = 16; mask > 0; mask /= 2) {
      join(Sight{{ptx::shuffle_xor(hull.begin, mask), ptx::shuffle_xor(hull.end, mask)},
                 {ptx::shuffle_xor(core.begin, mask), ptx::shuffle_xor(core.end, mask)}});
    }
  }
  CAESURA_DEVICE bool is_full(std::int32_t begin, std::int32_t end) const {
    return core.begin <= begin && core.end >= end;
  }
  CAESURA_DEVICE bool is_empty(std::int32_t begin, std::int32_t end) const {
    return hull.begin >= end || hull.end <= begin;
  }
};

/// A row's interval; rows behind the last one see nothing.
CAESURA_DEVICE TileRange interval_of(const RowIntervals& intervals, std::int32_t layer, std::int64_t row) {
  if (row >= intervals.rows) return {};
  const std::int64_t at = layer * intervals.rows + row;
  return {intervals.first[at], intervals.last[at]};
}

/// What the rows of a warp see in a layer. A lane's rows are those of its sums, `l / 4` and `l / 4 + 8` of each 16; their
/// intervals are read where they are needed, at the borders alone, and take no registers in between.
template <int BlockRows, int Tall>
class WarpSight {
 public:
  /// \p heads are those that share the side's rows among blocks.
  CAESURA_DEVICE WarpSight(const Lowered& side, int heads) : side_(side), heads_(heads) {}

  CAESURA_DEVICE void enter(std::int32_t layer) {
    if (layer == layer_) return;
    layer_ = layer;
    all_ = Sight();
#pragma unroll
    for (int m = 0; m < Tall; ++m) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const TileRange row = interval(m, j);
        all_.join(row.begin, row.end);
      }
    }
    all_.join_warp();
  }

  /// What the lane's row sees.
  CAESURA_DEVICE TileRange interval(int m, int j) const {
    const WorkItem item(side_, BlockRows, heads_);
    return interval_of(side_.intervals, layer_,
                       item.begin + ptx::warp_index() * 16 * Tall + ptx::lane_index() / 4 + 16 * m + 8 * j);
  }
  CAESURA_DEVICE bool is_full(std::int32_t begin, std::int32_t end) const { return all_.is_full(begin, end); }
  CAESURA_DEVICE bool is_empty(std::int32_t begin, std::int32_t end) const { return all_.is_empty(begin, end); }

 private:
  const Lowered& side_;
  int heads_;
  std::int32_t layer_ = -1;
  Sight all_;
};

/// Streamed rows [begin, end) of a layer, for one of the heads that a block works for.
struct Step {
  std::int32_t layer = 0;
  std::int32_t head = 0;
  std::int32_t begin = 0;
  std::int32_t end = 0;
  bool is_full = false;  ///< every row of the block sees all of a whole step
};

/// Walks what a block's rows see, in steps of at most `Size` streamed rows: layer by layer, in each head by head.
template <int BlockRows, int Size>
class Steps {
 public:
  /// \p heads as in `WarpSight`; \p streamed_heads are walked one after another; \p aligned: steps begin at multiples of `Size`.
  CAESURA_DEVICE Steps(const Lowered& side, int heads, int streamed_heads, bool aligned)
      : side_(side), heads_(heads), streamed_heads_(streamed_heads), aligned_(aligned) {}

  /// Goes to the next step; false if there is none.
  CAESURA_DEVICE bool next() {
    position_ += Size;
    while (position_ >= end_) {
      if (!enter_run()) return false;
    }
    return true;
  }

  /// The step that `next` went to.
  CAESURA_DEVICE Step current() const {
    const std::int32_t whole = position_ + Size;
    return {layer_, head_, position_, whole < step_end_ ? whole : step_end_,
            core_.begin <= position_ && core_.end >= whole};
  }

 private:
  CAESURA_DEVICE bool enter_run() {
    const WorkItem item(side_, BlockRows, heads_);
    const auto is_last = [&] { return run_ >= side_.schedule.run_count(layer_, item.tile); };
    while (layer_ < side_.intervals.layers && is_last()) {
      run_ = 0;
      position_ = 0;
      if (++head_ < streamed_heads_) continue;
      head_ = 0;
      ++layer_;
    }
    if (layer_ == side_.intervals.layers) return false;
    Sight block;
#pragma unroll
    for (int i = 0; i < BlockRows / 32; ++i) {
      const TileRange row = interval_of(side_.intervals, layer_, item.begin + 32 * i + ptx::lane_index());
      block.join(row.begin, row.end);
    }
    block.join_warp();
    core_ = block.core;
    const TileRange run = side_.schedule.run(layer_, item.tile, run_++);
    const std::int32_t begin = run.begin > block.hull.begin ? run.begin : block.hull.begin;
    end_ = run.end < block.hull.end ? run.end : block.hull.end;
    // An aligned step that two runs share is visited once, for both.
    const std::int32_t whole = begin / Size * Size;
    position_ = !aligned_ ? begin : whole > position_ ? whole : position_;
    step_end_ = aligned_ ? block.hull.end : end_;
    return true;
  }

  const Lowered& side_;
  int heads_, streamed_heads_;
  bool aligned_;
  std::int32_t layer_ = 0, head_ = 0, run_ = 0;
  std::int32_t position_ = -Size, end_ = -Size;
  std::int32_t step_end_ = 0;  ///< of the run, or of all runs
  TileRange core_;
};

}  // namespace caesura::cuda::sm80
