// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <array>
#include <cstdint>

namespace caesura::cuda_on_host {

/// What a CUtensorMap says, dimension 0 being contiguous.
struct TensorMap {
  std::byte* data = nullptr;
  int rank = 0;
  int scalar_bytes = 0;
  int swizzle_bytes = 16;                            ///< 16: none
  std::array<std::int64_t, 4> extents{}, strides{};  ///< strides in bytes
  std::array<std::int64_t, 4> box{};

  int box_bytes() const {
    std::int64_t entries = 1;
    for (int i = 0; i < rank; ++i) entries *= box[static_cast<std::size_t>(i)];
    return static_cast<int>(entries * scalar_bytes);
  }
};

/// \throws Error if cuTensorMapEncodeTiled would refuse it, or rows are shorter than the swizzle's: how they lie then is
/// not written down.
void check(const TensorMap& map);

}  // namespace caesura::cuda_on_host
