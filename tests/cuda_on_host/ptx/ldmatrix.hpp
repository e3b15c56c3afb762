// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>

namespace caesura::ptx {

/// Lane l's share of matrix i: entries (l / 4, 2 (l % 4)) and the next, of the matrix or of its transposed.
template <bool Transposed>
inline Vector4 load_matrices_as(SharedAddress row, const char* what) {
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  const int first = block.thread() / 32 * 32;
  return block.collective<Vector4>(what, row, [&](const SharedAddress* in, Vector4* out) {
    for (int i = 0; i < 4; ++i) {
      std::uint16_t matrix[8][8];
      for (int r = 0; r < 8; ++r) {
        block.shared().read_for_warp(first + 8 * i + r, in[8 * i + r].value, matrix[r], 16, what);
      }
      for (int lane = 0; lane < 32; ++lane) {
        const int a = lane / 4, b = 2 * (lane % 4);
        const std::uint32_t low = Transposed ? matrix[b][a] : matrix[a][b];
        const std::uint32_t high = Transposed ? matrix[b + 1][a] : matrix[a][b + 1];
        out[lane].word[i] = low | high << 16;
      }
    }
  });
}

inline Vector4 load_matrices(SharedAddress row) { return load_matrices_as<false>(row, "ldmatrix"); }
inline Vector4 load_matrices_transposed(SharedAddress row) { return load_matrices_as<true>(row, "ldmatrix.trans"); }

}  // namespace caesura::ptx
