// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/tiles.hpp"

namespace caesura::portable {

/// How the left factor of a product lies in memory.
enum class Left {
  rows,    ///< a(i, r) at a[i * pitch + r]: scores, a streamed row times lanes
  columns  ///< a(i, r) at a[r * pitch + i]: accumulation over streamed rows, i a column of dim
};

/// What a product starts from.
enum class Start { zero, keep, scaled };

/// One micro-tile: `c(i, lane) = start + sum over r of a(i, r) * b(r, lane)`, for `micro_rows` i and `micro_lanes`
/// lanes, summed in the order of r. \p factor scales the start per lane (`Start::scaled`).
template <class Tile, Left left, Start start, class Real>
KOKKOS_FORCEINLINE_FUNCTION void multiply_micro(int depth, const Real* a, std::ptrdiff_t a_pitch, const Real* b,
                                                std::ptrdiff_t b_pitch, Real* c, std::ptrdiff_t c_pitch,
                                                [[maybe_unused]] const Real* factor) {
  using Vector = typename Tile::Vector;
  constexpr auto unaligned = Kokkos::Experimental::simd_flag_default;
  constexpr int rows = Tile::micro_rows, vectors = Tile::micro_vectors, width = Tile::width;
  Vector sum[rows][vectors];
  for (int i = 0; i < rows; ++i) {
    for (int v = 0; v < vectors; ++v) {
      if constexpr (start == Start::zero) {
        sum[i][v] = Vector(Real(0));
      } else {
        sum[i][v] = Vector(c + i * c_pitch + v * width, unaligned);
        if constexpr (start == Start::scaled) sum[i][v] = sum[i][v] * Vector(factor + v * width, unaligned);
      }
    }
  }
  for (int r = 0; r < depth; ++r) {
    Vector lanes[vectors];
    for (int v = 0; v < vectors; ++v) lanes[v] = Vector(b + r * b_pitch + v * width, unaligned);
    for (int i = 0; i < rows; ++i) {
      const Vector value(left == Left::rows ? a[i * a_pitch + r] : a[r * a_pitch + i]);
      for (int v = 0; v < vectors; ++v) sum[i][v] = Kokkos::fma(value, lanes[v], sum[i][v]);
    }
  }
  for (int i = 0; i < rows; ++i) {
    for (int v = 0; v < vectors; ++v) sum[i][v].copy_to(c + i * c_pitch + v * width, unaligned);
  }
}

/// All micro-tiles of a product with \p rows rows (rounded up to whole micro-tiles) and \p lanes lanes, by the team.
template <class Tile, Left left, Start start, class Member, class Real>
KOKKOS_FUNCTION void multiply(const Member& team, int rows, int lanes, int depth, const Real* a, std::ptrdiff_t a_pitch,
                              const Real* b, std::ptrdiff_t b_pitch, Real* c, std::ptrdiff_t c_pitch,
                              const Real* factor = nullptr) {
  const int groups = lanes / Tile::micro_lanes;
  const int blocks = (rows + Tile::micro_rows - 1) / Tile::micro_rows;
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, blocks * groups), [&](int micro) {
    const int row = micro / groups * Tile::micro_rows;
    const int lane = micro % groups * Tile::micro_lanes;
    multiply_micro<Tile, left, start>(depth, a + (left == Left::rows ? row * a_pitch : row), a_pitch, b + lane, b_pitch,
                                      c + row * c_pitch + lane, c_pitch, factor + (start == Start::scaled ? lane : 0));
  });
}

}  // namespace caesura::portable
