// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "product.hpp"

namespace caesura::cuda_on_host {

void add_product(float* sum, const float* left, const float* right, int rows, int columns, int depth) {
  for (int row = 0; row < rows; ++row) {
    float* const to = sum + row * columns;
    for (int k = 0; k < depth; ++k) {
      const float factor = left[row * depth + k];
      const float* const from = right + k * columns;
      for (int column = 0; column < columns; column += 8) {  // columns come in eights
#pragma GCC ivdep
        for (int i = 0; i < 8; ++i) to[column + i] += factor * from[column + i];
      }
    }
  }
}

}  // namespace caesura::cuda_on_host
