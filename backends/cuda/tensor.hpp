// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <cstdint>

namespace caesura::cuda {

/// A tensor of 16-bit or float values, and how its rows may be read and written.
struct Tensor {
  TensorRef ref;
  std::int32_t dim = 0;
  bool is_aligned = false;  ///< every row of every head begins at a multiple of 16 bytes, and dim is a multiple of 8

  Tensor() = default;
  Tensor(const TensorRef& tensor, std::int32_t dim_) : ref(tensor), dim(dim_) {
    const std::int64_t size = tensor.type == ScalarType::float32 ? 4 : 2;
    const auto fits = [&](std::int64_t elements) { return elements * size % 16 == 0; };
    is_aligned = dim % 8 == 0 && reinterpret_cast<std::uintptr_t>(tensor.data) % 16 == 0 && fits(tensor.batch_stride) &&
                 fits(tensor.row_stride) && fits(tensor.head_stride);
  }
};

}  // namespace caesura::cuda
