// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/multiply.hpp"
#include <caesura/impl/lowered_storage.hpp>
#include <caesura/problem.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

// How the rows of a tile become lanes. A slice is the rows that go through the products together, in a few vectors.
// It ends early where the next rows see none of its keys: then a row does not pay for the keys of another document.

namespace caesura::host_simd {

/// Consecutive rows in one block of lanes.
struct Slice {
  std::int64_t begin = 0;  ///< the first row
  int rows = 0;
  int vectors = 0;
  int lane = 0;         ///< its first lane among those of all slices
  TileRange hull = {};  ///< the union of what its rows see in the current layer, as one range
  TileRange core = {};  ///< what all of its rows see; empty if one sees nothing

  bool sees(TileRange keys) const { return hull.begin < keys.end && keys.begin < hull.end && hull.begin < hull.end; }
};

/// That \p rows rows take as lanes.
template <class Real>
int vectors_of(std::int64_t rows) {
  return static_cast<int>((rows + width<Real> - 1) / width<Real>);
}

namespace impl {
inline TileRange empty_range() { return {INT32_MAX, 0}; }
inline void join(TileRange& range, TileRange other) {
  if (other.begin >= other.end) return;
  range = {std::min(range.begin, other.begin), std::max(range.end, other.end)};
}
}  // namespace impl

/// Where a slice of up to \p lanes rows ends that begins with row \p row of the rows up to \p end. Past a border, where
/// rows see other keys, it goes on if that saves a slice and costs less than one. The first layer decides.
template <class Real>
std::int64_t slice_end(const RowIntervals& intervals, std::int64_t row, std::int64_t end, int lanes) {
  const auto interval = [&](std::int64_t at) { return TileRange{intervals.first[at], intervals.last[at]}; };
  const auto is_new = [](TileRange seen, TileRange own) {
    return own.begin < own.end && seen.begin < seen.end && (own.begin >= seen.end || own.end <= seen.begin);
  };
  // In block rows of one vector; a slice costs a few more of them.
  const auto cost = [](std::int64_t rows, TileRange keys) -> std::int64_t {
    constexpr int overhead = 8;
    return vectors_of<Real>(rows) * std::max(keys.end - keys.begin, 0) + overhead;
  };
  const auto slices = [&](std::int64_t rows) { return (rows + lanes - 1) / lanes; };
  // Where the keys change that the rows from `from` on see, or \p most; `seen` becomes what they see.
  const auto next_border = [&](std::int64_t from, std::int64_t most, TileRange& seen) {
    do {
      impl::join(seen, interval(from));
      ++from;
    } while (from < most && !is_new(seen, interval(from)));
    return from;
  };
  const std::int64_t limit = std::min<std::int64_t>(end, row + lanes);
  // The slice's rows up to a border see `keys`; beyond it, `own` of the next rows' keys are new.
  TileRange keys = impl::empty_range();
  std::int64_t border = row;  // rows [row, border) are settled
  while (border < limit) {
    TileRange own = impl::empty_range();
    const std::int64_t until = next_border(border, limit, own);
    TileRange both = keys;
    impl::join(both, own);
    if (border > row) {
      TileRange rest = impl::empty_range();
      const std::int64_t next = next_border(border, std::min(end, border + 4 * lanes), rest);  // far ones do not matter
      const bool saves = slices(next - until) < slices(next - border);
      if (!saves || cost(until - row, both) > cost(border - row, keys) + cost(until - border, own)) return border;
    }
    keys = both;
    border = until;
  }
  return limit;
}

/// What the rows of a slice see in a layer becomes its hull and core, and \p first and \p last of each lane; lanes
/// without a row see everything, which nobody reads, so that they keep no block from being full.
inline void load_layer(Slice& slice, const RowIntervals& intervals, std::int32_t layer, int lanes, std::int32_t* first,
                       std::int32_t* last) {
  slice.hull = impl::empty_range();
  slice.core = {0, INT32_MAX};
  for (int lane = 0; lane < lanes; ++lane) {
    const std::int64_t at = layer * intervals.rows + slice.begin + lane;
    const bool exists = lane < slice.rows;
    const TileRange own = exists ? TileRange{intervals.first[at], intervals.last[at]} : TileRange{0, INT32_MAX};
    first[lane] = own.begin;
    last[lane] = own.end;
    if (exists) impl::join(slice.hull, own);
    slice.core = {std::max(slice.core.begin, own.begin), std::min(slice.core.end, own.end)};
  }
}

/// What \p count lanes see as rows of a block of keys, cut to \p most rows; further lanes see nothing. \p first and \p last
/// are keys, \p origin is that of row 0.
template <class Real, int vectors>
void lane_bounds(const std::int32_t* first, const std::int32_t* last, std::int64_t count, std::int32_t origin, int most,
                 Vector<Real> (&from)[vectors], Vector<Real> (&to)[vectors]) {
  constexpr int size = width<Real>;
  using Keys = Raw<std::int32_t, size>;
  for (int v = 0; v < vectors; ++v) {
    const std::int64_t left = count - v * size;
    const auto bound = [&](const std::int32_t* keys) {
      Keys at = Keys{} + origin;
      if (left >= size) {
        std::memcpy(&at, keys + v * size, sizeof(at));
      } else {
        for (int lane = 0; lane < left; ++lane) at[lane] = keys[v * size + lane];
      }
      at -= origin;
      at = at < 0 ? Keys{} : at;
      at = at > most ? Keys{} + most : at;
      return std::bit_cast<Vector<Real>>(__builtin_convertvector(at, Raw<Real, size>));
    };
    from[v] = bound(first);
    to[v] = bound(last);
  }
}

/// The slices of up to `impl::tile_rows` rows, each of up to \p most_vectors vectors.
template <class Real, int most_vectors>
class Slices {
 public:
  static constexpr int lanes_of_slice = most_vectors * width<Real>;
  static constexpr int capacity = std::max(16, 4 * caesura::impl::tile_rows / lanes_of_slice);
  static constexpr int lane_capacity =
      caesura::impl::tile_rows + capacity * width<Real>;  ///< a slice pads its last vector

  /// Cuts rows `[begin, end)`.
  Slices(const RowIntervals& intervals, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end;) {
      // Enough slices must be left for rows that cannot be cut well.
      const bool may_end_early = (capacity - count_ - 1) * lanes_of_slice >= end - row;
      // The last rows that are more than a slice are shared by two: one of a single vector would be slow.
      const bool shares = most_vectors > 2 && end - row > lanes_of_slice && end - row <= lanes_of_slice + width<Real>;
      const int lanes = shares ? lanes_of_slice - width<Real> : lanes_of_slice;
      const std::int64_t last =
          may_end_early ? slice_end<Real>(intervals, row, end, lanes) : std::min<std::int64_t>(end, row + lanes);
      const auto rows = static_cast<int>(last - row);
      const int vectors = vectors_of<Real>(rows);
      slices_[static_cast<std::size_t>(count_++)] = {row, rows, vectors, lanes_};
      lanes_ += vectors * width<Real>;
      row = last;
    }
  }

  /// `load_layer` of each. Returns the union of the hulls.
  TileRange load(const RowIntervals& intervals, std::int32_t layer, std::int32_t* first, std::int32_t* last) {
    TileRange all = impl::empty_range();
    for (Slice& slice : *this) {
      load_layer(slice, intervals, layer, slice.vectors * width<Real>, first + slice.lane, last + slice.lane);
      impl::join(all, slice.hull);
    }
    return all;
  }

  Slice* begin() { return slices_.data(); }
  Slice* end() { return slices_.data() + count_; }
  int lanes() const { return lanes_; }

 private:
  std::array<Slice, capacity> slices_;
  int count_ = 0;
  int lanes_ = 0;
};

}  // namespace caesura::host_simd
