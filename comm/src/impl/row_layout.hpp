// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/rows.hpp>

#include <Kokkos_Macros.hpp>

#include <cstddef>
#include <cstdint>

namespace caesura::comm::impl {

/// How the bytes of rows lie: a row's packed form is cut into runs that lie together in memory.
struct RowLayout {
  std::byte* data = nullptr;
  std::int64_t row_stride = 0;  ///< bytes from a row to the next
  std::int64_t row_bytes = 0;
  std::int64_t run = 0;  ///< bytes that lie together, all of the row if outer == 0
  int outer = 0;         ///< extents that do not
  std::int64_t extents[8] = {};
  std::int64_t strides[8] = {};  ///< bytes; the last varies fastest

  /// Rows one behind the other.
  static RowLayout packed(std::byte* data, std::int64_t row_bytes);
  static RowLayout of(const Rows& rows);

  bool row_together() const { return outer == 0; }
  bool all_together() const { return outer == 0 && row_stride == row_bytes; }

  /// Where in the row the byte number \p at of its packed form lies.
  KOKKOS_INLINE_FUNCTION std::int64_t offset(std::int64_t at) const {
    if (outer == 0) return at;
    std::int64_t rest = at / run;
    std::int64_t result = at - rest * run;
    for (int i = outer; i-- > 0;) {
      const std::int64_t next = rest / extents[i];
      result += (rest - next * extents[i]) * strides[i];
      rest = next;
    }
    return result;
  }
};

/// The bytes that lie together in rows of both.
std::int64_t common_run(const RowLayout& a, const RowLayout& b);

/// The widest of 1, 2, 4, 8, 16 that divides every address of \p layout at which a run begins, and its length.
std::int64_t alignment(const RowLayout& layout);

}  // namespace caesura::comm::impl
