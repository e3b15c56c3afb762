// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/row_layout.hpp"

#include <algorithm>
#include <numeric>

namespace caesura::comm::impl {

RowLayout RowLayout::packed(std::byte* data, std::int64_t row_bytes) {
  return {.data = data, .row_stride = row_bytes, .row_bytes = row_bytes, .run = row_bytes};
}

RowLayout RowLayout::of(const Rows& rows) {
  RowLayout result = {.data = rows.data(), .row_bytes = rows.row_bytes(), .run = rows.element_bytes()};
  if (rows.rank() == 0) return result;
  result.row_stride = rows.stride(0) * rows.element_bytes();
  for (int i = rows.rank(); --i > 0;) {
    if (rows.extent(i) == 1) continue;
    const std::int64_t stride = rows.stride(i) * rows.element_bytes();
    const std::int64_t together =
        result.outer == 0 ? result.run : result.strides[result.outer - 1] * result.extents[result.outer - 1];
    if (stride != together) {
      result.extents[result.outer] = rows.extent(i);
      result.strides[result.outer++] = stride;
    } else if (result.outer == 0) {
      result.run *= rows.extent(i);
    } else {
      result.extents[result.outer - 1] *= rows.extent(i);
    }
  }
  std::reverse(result.extents, result.extents + result.outer);
  std::reverse(result.strides, result.strides + result.outer);
  return result;
}

std::int64_t common_run(const RowLayout& a, const RowLayout& b) { return std::gcd(a.run, b.run); }

std::int64_t alignment(const RowLayout& layout) {
  std::int64_t result =
      std::gcd(std::int64_t{16}, static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(layout.data) % 16));
  result = std::gcd(std::gcd(result, layout.run), layout.row_stride);
  for (int i = 0; i < layout.outer; ++i) result = std::gcd(result, layout.strides[i]);
  return result;
}

}  // namespace caesura::comm::impl
