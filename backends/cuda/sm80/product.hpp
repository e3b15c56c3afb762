// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/shared_tile.hpp"

#include <ptx/ldmatrix.hpp>
#include <ptx/math.hpp>
#include <ptx/mma.hpp>

#include <cstdint>

// A warp's share of a product by tensor cores, in the layouts of `mma_m16n8k16`.

namespace caesura::cuda::sm80 {

/// Sums of `16 * Tall` rows by `8 * Wide` columns: lane l has of block (m, n) in [0], [1] row `16 m + l / 4`, columns
/// `8 n + 2 (l % 4)` and the next, and in [2], [3] the same of row + 8.
template <int Tall, int Wide>
using Sums = float[Tall][Wide][4];

/// Left factors of `16 * Tall` rows by `16 * Deep`.
template <int Tall, int Deep>
using Factors = std::uint32_t[Tall][Deep][4];

template <int Tall, int Wide>
CAESURA_DEVICE void clear(Sums<Tall, Wide>& sums) {
#pragma unroll
  for (int m = 0; m < Tall; ++m) {
#pragma unroll
    for (int n = 0; n < Wide; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[m][n][i] = 0;
    }
  }
}

/// sums = a b^T, where the warp's rows of \p a begin at \p row, and \p b has a row for each column of the sums.
template <class Scalar, int Tall, int Wide, int RowsA, int RowsB, int Dim>
CAESURA_DEVICE void multiply(Sums<Tall, Wide>& sums, const SharedTile<RowsA, Dim>& a, int row,
                             const SharedTile<RowsB, Dim>& b) {
  static_assert(RowsB == 8 * Wide && Wide % 2 == 0);
  const int lane = ptx::opaque(ptx::lane_index()), matrix = lane / 8, r = lane % 8;
  clear(sums);
#pragma unroll
  for (int k = 0; k < Dim / 16; ++k) {
    std::uint32_t left[Tall][4];
#pragma unroll
    for (int m = 0; m < Tall; ++m) {
      const ptx::Vector4 loaded = ptx::load_matrices(a.chunk(row + 16 * m + matrix % 2 * 8 + r, 2 * k + matrix / 2));
#pragma unroll
      for (int i = 0; i < 4; ++i) left[m][i] = loaded.word[i];
    }
#pragma unroll
    for (int n = 0; n < Wide; n += 2) {
      const ptx::Vector4 right = ptx::load_matrices(b.chunk(8 * n + matrix / 2 * 8 + r, 2 * k + matrix % 2));
#pragma unroll
      for (int m = 0; m < Tall; ++m) {
        ptx::mma_m16n8k16<Scalar>(sums[m][n], left[m], right.word[0], right.word[1]);
        ptx::mma_m16n8k16<Scalar>(sums[m][n + 1], left[m], right.word[2], right.word[3]);
      }
    }
  }
}

/// sums += a b, where \p b has a row for each column of \p a.
template <class Scalar, int Tall, int Deep, int Wide, int RowsB, int Dim>
CAESURA_DEVICE void multiply_add(Sums<Tall, Wide>& sums, const Factors<Tall, Deep>& a,
                                 const SharedTile<RowsB, Dim>& b) {
  static_assert(RowsB == 16 * Deep && Dim == 8 * Wide);
  const int lane = ptx::opaque(ptx::lane_index()), matrix = lane / 8, r = lane % 8;
#pragma unroll
  for (int k = 0; k < Deep; ++k) {
#pragma unroll
    for (int n = 0; n < Wide; n += 2) {
      const ptx::Vector4 right = ptx::load_matrices_transposed(b.chunk(16 * k + matrix % 2 * 8 + r, n + matrix / 2));
#pragma unroll
      for (int m = 0; m < Tall; ++m) {
        ptx::mma_m16n8k16<Scalar>(sums[m][n], a[m][k], right.word[0], right.word[1]);
        ptx::mma_m16n8k16<Scalar>(sums[m][n + 1], a[m][k], right.word[2], right.word[3]);
      }
    }
  }
}

/// Sums, rounded, become left factors: both layouts agree, no lane needs another's values.
template <class Scalar, int Tall, int Wide>
CAESURA_DEVICE void round(const Sums<Tall, Wide>& sums, Factors<Tall, Wide / 2>& factors) {
#pragma unroll
  for (int m = 0; m < Tall; ++m) {
#pragma unroll
    for (int n = 0; n < Wide; ++n) {
      factors[m][n / 2][n % 2 * 2] = ptx::pack<Scalar>(sums[m][n][0], sums[m][n][1]);
      factors[m][n / 2][n % 2 * 2 + 1] = ptx::pack<Scalar>(sums[m][n][2], sums[m][n][3]);
    }
  }
}

/// Calls `body(m, n, i, row, column)` for each of the lane's sums: static indices, and the place in the warp's share.
template <int Tall, int Wide, class Body>
CAESURA_DEVICE void for_each_sum(const Body& body) {
  const int row = ptx::lane_index() / 4, column = ptx::lane_index() % 4 * 2;
#pragma unroll
  for (int m = 0; m < Tall; ++m) {
#pragma unroll
    for (int n = 0; n < Wide; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) body(m, n, i, 16 * m + row + i / 2 * 8, 8 * n + column + i % 2);
    }
  }
}

}  // namespace caesura::cuda::sm80
