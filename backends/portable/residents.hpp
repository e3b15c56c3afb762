// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/tiles.hpp"
#include <caesura/problem.hpp>

// The pieces of a work item that forward and backward share: its scratch memory, which rows it owns, what their
// lanes see, and moving rows between tensors and scratch.

namespace caesura::portable {

/// Hands out parts of a block of scratch; with a null block it only counts.
class Arena {
 public:
  KOKKOS_FUNCTION explicit Arena(char* base) : base_(base) {}

  template <class Value>
  KOKKOS_FUNCTION Value* take(std::int64_t count) {
    Value* result = base_ ? reinterpret_cast<Value*>(base_ + used_) : nullptr;
    used_ += round_up<std::int64_t>(count * static_cast<std::int64_t>(sizeof(Value)), 64);
    return result;
  }
  KOKKOS_FUNCTION std::int64_t used() const { return used_; }

 private:
  char* base_;
  std::int64_t used_ = 0;
};

/// A `(dim, resident lanes)` buffer: slice by slice, a row of lanes for each element of dim.
template <class Tile, class Real>
struct LaneBuffer {
  Real* data = nullptr;
  int rows = 0;   ///< dim, rounded up to whole micro-tiles
  int slice = 0;  ///< lanes a slice

  LaneBuffer() = default;
  KOKKOS_FUNCTION LaneBuffer(Arena& arena, int dim, int resident)
      : rows(round_up(dim, Tile::micro_rows)), slice(Tile::slice_lanes(resident)) {
    data = arena.template take<Real>(std::int64_t{resident / slice} * rows * pitch());
  }
  KOKKOS_FUNCTION int pitch() const { return Tile::pitch(slice); }
  KOKKOS_FUNCTION Real* of_slice(int s) const { return data + std::int64_t{s} * rows * pitch(); }
  KOKKOS_FUNCTION Real& operator()(int i, int lane) const { return of_slice(lane / slice)[i * pitch() + lane % slice]; }
};

/// The rows of a work item: a share of a schedule's tile.
struct Residents {
  std::int64_t begin = 0;
  int count = 0;  ///< at most the resident lanes
};

/// What a team works on: its tile, the share of the tile's rows that it keeps, and the head.
struct WorkItem {
  std::int32_t tile = 0;
  int head = 0;
  Residents own;

  /// Heads of a share follow one another, tiles come in the schedule's order. \p total is the side's number of rows.
  KOKKOS_FUNCTION WorkItem(int rank, const TileSchedule& schedule, int resident, int heads, std::int64_t total)
      : head(rank % heads) {
    const int shares = schedule.tile_rows / resident;
    const int share = rank / heads;
    tile = schedule.order[share / shares];
    own.begin = std::int64_t{tile} * schedule.tile_rows + std::int64_t{share % shares} * resident;
    own.count = static_cast<int>(Kokkos::clamp<std::int64_t>(total - own.begin, 0, resident));
  }
};

/// What lanes see of the streamed side in one layer, and what a slice of them sees together.
struct LaneIntervals {
  std::int32_t* first = nullptr;
  std::int32_t* last = nullptr;
  TileRange* hull = nullptr;  ///< by slice: the union of its lanes' intervals, as one range
  TileRange* core = nullptr;  ///< by slice: what all of its lanes see; empty if one sees nothing
  int slice = 0;
  int slices = 0;

  LaneIntervals() = default;
  KOKKOS_FUNCTION LaneIntervals(Arena& arena, int resident, int slice_lanes)
      : first(arena.take<std::int32_t>(resident)),
        last(arena.take<std::int32_t>(resident)),
        hull(arena.take<TileRange>(resident / slice_lanes)),
        core(arena.take<TileRange>(resident / slice_lanes)),
        slice(slice_lanes),
        slices(resident / slice_lanes) {}

  /// Ends with the team in step.
  template <class Member>
  KOKKOS_FUNCTION void load(const Member& team, const RowIntervals& rows, std::int32_t layer, Residents own) const {
    const std::int64_t base = layer * rows.rows + own.begin;
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, slices), [&](int s) {
      TileRange all{INT32_MAX, 0}, common{0, INT32_MAX};
      for (int lane = s * slice; lane < (s + 1) * slice; ++lane) {
        const bool exists = lane < own.count;
        const std::int32_t begin = exists ? rows.first[base + lane] : 0;
        const std::int32_t end = exists ? rows.last[base + lane] : 0;
        first[lane] = begin;
        last[lane] = end;
        const bool sees = begin < end;
        all.begin = sees && begin < all.begin ? begin : all.begin;
        all.end = sees && end > all.end ? end : all.end;
        common.begin = begin > common.begin ? begin : common.begin;
        common.end = end < common.end ? end : common.end;
      }
      hull[s] = all;
      core[s] = common;
    });
    team.team_barrier();
  }

  /// The union of all lanes' intervals, as one range.
  KOKKOS_FUNCTION TileRange hull_of_all() const {
    TileRange all = hull[0];
    for (int s = 1; s < slices; ++s) {
      all.begin = Kokkos::min(all.begin, hull[s].begin);
      all.end = Kokkos::max(all.end, hull[s].end);
    }
    return all;
  }
};

/// The part of a step that a slice has to look at, in positions of the streamed side.
struct SliceStep {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  bool full = false;  ///< every lane sees all of it

  KOKKOS_FUNCTION SliceStep(const LaneIntervals& lanes, int s, TileRange step)
      : begin(Kokkos::max(step.begin, lanes.hull[s].begin)),
        end(Kokkos::min(step.end, lanes.hull[s].end)),
        full(lanes.core[s].begin <= begin && end <= lanes.core[s].end) {}
  KOKKOS_FUNCTION bool empty() const { return begin >= end; }
  KOKKOS_FUNCTION int count() const { return end - begin; }
};

/// Calls \p body with each step of at most \p stream rows that the work item has to visit in \p layer: its tile's
/// runs, cut to what its own lanes see; where steps are \p aligned, also at multiples of \p stream.
template <class Body>
KOKKOS_FUNCTION void for_each_step(const TileSchedule& schedule, std::int32_t layer, std::int32_t tile,
                                   const LaneIntervals& lanes, int stream, bool aligned, const Body& body) {
  const TileRange hull = lanes.hull_of_all();
  for (std::int32_t i = 0; i < schedule.run_count(layer, tile); ++i) {
    const TileRange run = schedule.run(layer, tile, i);
    const std::int32_t end = Kokkos::min(run.end, hull.end);
    std::int32_t next = 0;
    for (std::int32_t at = Kokkos::max(run.begin, hull.begin); at < end; at = next) {
      next = Kokkos::min((aligned ? at / stream * stream : at) + stream, end);
      body(TileRange{at, next});
    }
  }
}

/// Rows of a tensor as the accumulator type sees them.
template <class Scalar>
KOKKOS_FUNCTION const Scalar* row_of(const TensorRef& tensor, std::int64_t row, std::int64_t head) {
  return static_cast<const Scalar*>(tensor.data) + tensor.offset(row, head);
}

/// Runs \p body with a value of the tensor's type: the inputs' or the accumulator.
template <class Scalar, class Body>
KOKKOS_FUNCTION void with_type(const TensorRef& tensor, const Body& body) {
  if (tensor.type == scalar_type_v<Scalar>) {
    body(Scalar{});
  } else {
    body(accumulator_t<Scalar>{});
  }
}

/// Copies rows `[range.begin, range.end)` of a head into `(rows, pitch)`, pads dim with zeros to whole micro-tiles.
/// Returns whether a value is infinite or NaN: then products with masked zeros would not be zero.
template <class Scalar, class Member, class Real>
KOKKOS_FUNCTION bool stage(const Member& team, const TensorRef& tensor, TileRange range, std::int64_t head, int dim,
                           Real* to, int pitch) {
  int special = 0;
  Kokkos::parallel_reduce(
      Kokkos::TeamThreadRange(team, range.end - range.begin),
      [&](int r, int& any) {
        Real* row = to + std::int64_t{r} * pitch;
        int in_row = 0;
        with_type<Scalar>(tensor, [&](auto type) {
          const auto* from = row_of<decltype(type)>(tensor, range.begin + r, head);
          Kokkos::parallel_reduce(
              Kokkos::ThreadVectorRange(team, dim),
              [&](int d, int& found) {
                const Real value = static_cast<Real>(from[d]);
                row[d] = value;
                found += !(Kokkos::abs(value) <= Kokkos::Experimental::finite_max_v<Real>);
              },
              in_row);
        });
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, dim, pitch), [&](int d) { row[d] = Real(0); });
        any += in_row;
      },
      special);
  return special != 0;
}

/// Loads resident rows transposed, times \p factor; lanes without a row get zeros.
template <class Scalar, class Tile, class Member, class Real>
KOKKOS_FUNCTION void load_lanes(const Member& team, const TensorRef& tensor, Residents own, std::int64_t head, int dim,
                                int resident, Real factor, const LaneBuffer<Tile, Real>& to) {
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, resident), [&](int lane) {
    Real* column = to.of_slice(lane / to.slice) + lane % to.slice;
    const int pitch = to.pitch();
    if (lane < own.count) {
      with_type<Scalar>(tensor, [&](auto type) {
        const auto* from = row_of<decltype(type)>(tensor, own.begin + lane, head);
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, dim),
                             [&](int d) { column[d * pitch] = factor * static_cast<Real>(from[d]); });
      });
    } else {
      Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, dim), [&](int d) { column[d * pitch] = Real(0); });
    }
  });
}

template <class Tile, class Member, class Real>
KOKKOS_FUNCTION void clear_lanes(const Member& team, int resident, const LaneBuffer<Tile, Real>& buffer) {
  const int count = resident / buffer.slice * buffer.rows * buffer.pitch();
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, count), [&](int i) { buffer.data[i] = Real(0); });
}

/// Writes resident rows back: `factor(lane) * value`, or added to what is there.
template <class Scalar, class Tile, class Member, class Real, class Factor>
KOKKOS_FUNCTION void store_lanes(const Member& team, const LaneBuffer<Tile, Real>& from, Residents own, int dim,
                                 const TensorRef& tensor, std::int64_t head, bool accumulate, const Factor& factor) {
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, own.count), [&](int lane) {
    const Real* column = from.of_slice(lane / from.slice) + lane % from.slice;
    const int pitch = from.pitch();
    const Real scale = factor(lane);
    with_type<Scalar>(tensor, [&](auto type) {
      using Value = decltype(type);
      Value* to = static_cast<Value*>(tensor.data) + tensor.offset(own.begin + lane, head);
      if (accumulate) {
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, dim), [&](int d) {
          // Adding zero would turn -0 into 0: what nobody saw keeps its bits.
          const Real value = scale * column[d * pitch];
          to[d] = value == Real(0) ? to[d] : static_cast<Value>(static_cast<Real>(to[d]) + value);
        });
      } else {
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, dim),
                             // + 0: a negative scale must not turn the zeros of what nobody saw into -0.
                             [&](int d) { to[d] = static_cast<Value>(scale * column[d * pitch] + Real(0)); });
      }
    });
  });
}

/// `c(i, lane) += sum over visible r of a(r, i) * b(r, lane)`, pair by pair: for steps whose streamed rows hold
/// infinities or NaN, which must reach the lanes that see them and no other.
template <class Member, class Real>
KOKKOS_FUNCTION void accumulate_visible(const Member& team, const LaneIntervals& lanes, int s, const SliceStep& step,
                                        int dim, const Real* a, int a_pitch, const Real* b, int b_pitch, Real* c,
                                        int c_pitch) {
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, lanes.slice), [&](int lane) {
    const std::int32_t begin = Kokkos::max(step.begin, lanes.first[s * lanes.slice + lane]);
    const std::int32_t end = Kokkos::min(step.end, lanes.last[s * lanes.slice + lane]);
    for (std::int32_t at = begin; at < end; ++at) {
      const std::int64_t r = at - step.begin;
      const Real weight = b[r * b_pitch + lane];
      for (int i = 0; i < dim; ++i) c[i * c_pitch + lane] += a[r * a_pitch + i] * weight;
    }
  });
}

}  // namespace caesura::portable
