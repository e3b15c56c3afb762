// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/residents.hpp"
#include <caesura/error.hpp>

namespace caesura::portable {

/// A tile shape and the scratch it takes.
struct ShapeChoice {
  TileShape shape;
  std::int64_t bytes = 0;
};

/// What \p Scratch takes for one work item.
template <class Scratch>
std::int64_t scratch_bytes_of(const AttentionShape& attention, TileShape shape) {
  Arena counting(nullptr);
  const Scratch scratch(counting, shape, attention.dim_qk, attention.dim_v);
  return counting.used();
}

/// The first shape whose scratch fits. \p bytes_of maps a shape to its bytes.
/// \throws Error (resources) if none does: the smallest one's bytes, and the limit.
template <class Shapes, class BytesOf>
ShapeChoice choose_shape(const Shapes& shapes, std::int64_t limit, const char* kernel, const BytesOf& bytes_of) {
  std::int64_t smallest = INT64_MAX;
  for (const TileShape& shape : shapes) {
    const std::int64_t bytes = bytes_of(shape);
    if (bytes <= limit) return {shape, bytes};
    smallest = smallest < bytes ? smallest : bytes;
  }
  throw Error(ErrorKind::resources,
              text(kernel, ": scratch = ", smallest, " bytes a team: the device has only ", limit, " bytes"));
}

/// Work items of a side: its tiles' shares, times heads.
inline std::int64_t items_of(const TileSchedule& schedule, TileShape shape, std::int32_t heads) {
  return std::int64_t{schedule.tiles} * (schedule.tile_rows / shape.resident) * heads;
}

/// Launches \p items teams of \p functor, each with scratch for the functor's `TileShape`, in order of index but as
/// threads become free.
template <class Space, class Tile, class Functor>
void launch_items(const Space& space, const char* label, std::int64_t items, std::int64_t scratch_bytes,
                  const Functor& functor) {
  using Policy = Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>;
  if (items == 0) return;
  require(
      items <= INT32_MAX, [&] { return text(label, ": ", items, " work items: more than ", INT32_MAX); },
      ErrorKind::resources);
  Policy policy(space, static_cast<int>(items), Tile::team_size, Tile::vector_length);
  policy.set_chunk_size(1);
  policy.set_scratch_size(Tile::scratch_level, Kokkos::PerTeam(static_cast<int>(scratch_bytes + 64)));
  // As arguments of the launch. Above 512 bytes Kokkos would send functors through a buffer that one launch at a time may
  // have, and wait for it: no capture in a CUDA graph, and a host that stands still.
  const auto light = Kokkos::Experimental::require(policy, Kokkos::Experimental::WorkItemProperty::HintLightWeight);
  Kokkos::parallel_for(label, light, functor);
}

/// The most scratch a team may ask for.
template <class Space, class Tile>
std::int64_t scratch_limit() {
  return Kokkos::TeamPolicy<Space>::scratch_size_max(Tile::scratch_level) - 64;
}

/// A team's scratch, aligned to a cache line.
template <class Tile, class Member>
KOKKOS_FUNCTION char* scratch_of(const Member& team, std::int64_t bytes) {
  constexpr int level = Tile::scratch_level;  // a reference to the member would need it in device memory
  return static_cast<char*>(team.team_scratch(level).get_shmem_aligned(bytes, 64));
}

}  // namespace caesura::portable
