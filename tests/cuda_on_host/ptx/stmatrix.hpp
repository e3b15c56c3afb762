// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/shared.hpp>

namespace caesura::ptx {

/// Lane l's share of matrix i: entries (l / 4, 2 (l % 4)) and the next, of the matrix or of its transposed.
template <bool Transposed>
inline void store_matrices_as(SharedAddress row, const Vector4& value, const char* what) {
  struct In {
    Vector4 value;
    SharedAddress row;
  };
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  const int first = block.thread() / 32 * 32;
  block.collective<char>(what, In{value, row}, [&](const In* in, char*) {
    for (int i = 0; i < 4; ++i) {
      std::uint16_t matrix[8][8];
      for (int lane = 0; lane < 32; ++lane) {
        const int a = lane / 4, b = 2 * (lane % 4);
        (Transposed ? matrix[b][a] : matrix[a][b]) = static_cast<std::uint16_t>(in[lane].value.word[i]);
        (Transposed ? matrix[b + 1][a] : matrix[a][b + 1]) = static_cast<std::uint16_t>(in[lane].value.word[i] >> 16);
      }
      for (int r = 0; r < 8; ++r) {
        block.shared().write(first + 8 * i + r, in[8 * i + r].row.value, matrix[r], 16, what);
      }
    }
  });
}

inline void store_matrices(SharedAddress row, const Vector4& value) {
  store_matrices_as<false>(row, value, "stmatrix");
}
inline void store_matrices_transposed(SharedAddress row, const Vector4& value) {
  store_matrices_as<true>(row, value, "stmatrix.trans");
}

}  // namespace caesura::ptx
