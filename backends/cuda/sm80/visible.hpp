// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/product.hpp"
#include "backends/cuda/sm80/sight.hpp"

namespace caesura::cuda::sm80 {

/// Pairs of a step that are not visible get \p value.
template <int Tall, int Wide, class Sight>
CAESURA_DEVICE void hide(Sums<Tall, Wide>& sums, const Sight& sight, const Step& step, float value) {
  const int column = ptx::lane_index() % 4 * 2;
#pragma unroll
  for (int m = 0; m < Tall; ++m) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const TileRange row = sight.interval(m, j);
      const std::int32_t first = row.begin - step.begin;
      const std::int32_t last = (row.end < step.end ? row.end : step.end) - step.begin;
#pragma unroll
      for (int n = 0; n < Wide; ++n) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const int at = 8 * n + column + i;
          if (at < first || at >= last) sums[m][n][2 * j + i] = value;
        }
      }
    }
  }
}

/// `sums += a b` over the rows of \p b in [step.begin, step.end) that each row sees, pair by pair: where \p b holds
/// infinities or NaN, which must reach the rows that see them and no other. A product of tensor cores would multiply them
/// with the zero weights of all others. \p a is in the layout of sums.
template <class Scalar, int Tall, int Deep, int Wide, int RowsB, int Dim, class Sight>
CAESURA_DEVICE void add_visible(Sums<Tall, Wide>& sums, const Sums<Tall, Deep>& a, const SharedTile<RowsB, Dim>& b,
                                const Sight& sight, const Step& step) {
  const int lane = ptx::lane_index();
  for (int key = 0; key < step.end - step.begin; ++key) {
    float weight[Tall][2] = {};
    bool is_seen[Tall][2];
#pragma unroll
    for (int m = 0; m < Tall; ++m) {
#pragma unroll
      for (int n = 0; n < Deep; ++n) {
#pragma unroll
        for (int j = 0; j < 2; ++j) {
          // Selected, not indexed: an index known to the compiler keeps sums in registers.
          const float candidate = key % 2 == 0 ? a[m][n][2 * j] : a[m][n][2 * j + 1];
          weight[m][j] = n == key / 8 ? candidate : weight[m][j];
        }
      }
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        weight[m][j] = ptx::shuffle(weight[m][j], lane / 4 * 4 + key % 8 / 2);
        const TileRange row = sight.interval(m, j);
        is_seen[m][j] = step.begin + key >= row.begin && step.begin + key < row.end;
      }
    }
#pragma unroll
    for (int n = 0; n < Wide; ++n) {
      float value[2];
      b.template pair<Scalar>(key, 8 * n + lane % 4 * 2, value);
#pragma unroll
      for (int m = 0; m < Tall; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if (is_seen[m][i / 2]) sums[m][n][i] += weight[m][i / 2] * value[i % 2];
        }
      }
    }
  }
}

}  // namespace caesura::cuda::sm80
