// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_vector.hpp"
#include <caesura/impl/lowered_storage.hpp>

#include <Kokkos_Core.hpp>
#include <Kokkos_SIMD.hpp>

#include <array>
#include <cstdint>

// Sizes of the portable kernels' tiles: one traits struct, the choice is data.
//
// A work item keeps `resident` rows of one side transposed, so that a vector holds one value of several rows
// ("lanes"), and streams the other side past them in steps of `stream` rows. A micro-tile of `micro_rows` streamed
// rows (or columns of dim) by `micro_lanes` lanes is what stays in registers.

namespace caesura::portable {

/// What a work item may keep, tried in this order until scratch memory suffices.
struct TileShape {
  std::int32_t resident = 0;  ///< divides impl::tile_rows
  std::int32_t stream = 0;
};

/// Hosts: one thread a team, micro-tiles of vectors, scratch in the caches.
template <class Space, class Accumulator>
struct Tile {
  using Host = HostVector<Accumulator>;
  using Vector = typename Host::Type;
  static constexpr int width = Host::width;
  /// 32 registers hold 8 x 2 accumulators and more; 16 registers hold 4 x 2.
  static constexpr int micro_rows = Host::is_wide ? 8 : 4;
  static constexpr int micro_vectors = Host::has_vectors ? 2 : 8;
  static constexpr int micro_lanes = micro_vectors * width;
  /// Lanes that one call of a vertical operation (softmax) works on.
  static constexpr int lane_group = micro_lanes;
  static constexpr int scratch_level = 1;
  static constexpr int team_size = 1;
  static constexpr int vector_length = 1;
  static constexpr std::array<TileShape, 3> shapes = {{{128, 128}, {128, 64}, {32, 32}}};

  /// Lanes that share scores: on hosts a micro-tile's, so that the scores of a step stay in the first cache.
  KOKKOS_FUNCTION static constexpr int slice_lanes(int) { return micro_lanes; }
  /// Distance of rows in a lane buffer.
  KOKKOS_FUNCTION static constexpr int pitch(int slice) { return slice; }
};

#ifdef KOKKOS_ENABLE_CUDA
/// GPUs: a micro-tile a thread, scratch in shared memory.
template <class Accumulator>
struct Tile<Kokkos::Cuda, Accumulator> {
  using Vector = Kokkos::Experimental::basic_simd<Accumulator, Kokkos::Experimental::simd_abi::scalar>;
  static constexpr int width = 1;
  static constexpr int micro_rows = 4;
  static constexpr int micro_vectors = 4;
  static constexpr int micro_lanes = 4;
  static constexpr int lane_group = 1;
  static constexpr int scratch_level = 0;
  static constexpr int team_size = 8;
  static constexpr int vector_length = 32;
  static constexpr std::array<TileShape, 4> shapes = {{{64, 64}, {32, 32}, {16, 16}, {8, 8}}};

  KOKKOS_FUNCTION static constexpr int slice_lanes(int resident) { return resident; }
  /// One more than the lanes, so that a column does not fall into one bank.
  KOKKOS_FUNCTION static constexpr int pitch(int slice) { return slice + 1; }
};
#endif

template <class T>
KOKKOS_FUNCTION constexpr T round_up(T value, T multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace caesura::portable
