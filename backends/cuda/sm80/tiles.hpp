// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>

// Sizes of the kernels' tiles, by head dim (the larger of both, rounded up to one of `dims`). Shared memory stays below
// 99 KiB, what a block may have on every chip since sm_80.

namespace caesura::cuda::sm80 {

/// What a kernel is compiled for: `plain` has neither softcap nor dropout, and a positive scale.
enum class Features { plain, all };

/// The rarer kind takes minutes to compile, so it has fewer dims.
template <Features Has>
inline constexpr auto dims = std::array{32, 64, 96, 128, 192, 256};
template <>
inline constexpr auto dims<Features::all> = std::array{64, 128, 256};

/// Rows that a block owns, streamed rows of a step, warps. A warp owns `rows / warps` rows: 16 or 32.
struct TileShape {
  int rows;
  int stream;
  int warps;
};

/// Shapes after FlashAttention-2 (Dao 2023, arXiv:2307.08691).
constexpr TileShape forward_tile(int dim) {
  if (dim <= 32) return {128, 128, 4};
  if (dim <= 96) return {128, 64, 4};
  if (dim <= 128) return {128, 32, 4};  // 64 spills on sm_90
  if (dim <= 192) return {128, 64, 8};
  return {64, 64, 4};
}

/// The backward's, of both passes: 16 rows a warp. Streamed rows are loaded a step ahead, so there are two tiles of each.
constexpr TileShape backward_tile(int dim) {
  if (dim <= 96) return {128, 64, 8};
  if (dim <= 128) return {128, 32, 8};
  if (dim <= 192) return {64, 32, 4};
  return {64, 16, 4};
}

/// Above this dim the sums of dk and dv do not fit into registers together: a pass each.
inline constexpr int max_dim_of_both = 128;

}  // namespace caesura::cuda::sm80
