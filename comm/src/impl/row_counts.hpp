// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/rows.hpp>
#include <caesura/error.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace caesura::comm::impl {

/// Checks a list of rows of each rank. \returns their sum
inline std::int64_t check_counts(std::string_view operation, const char* name, std::span<const std::int64_t> rows,
                                 int ranks) {
  require(rows.size() == static_cast<std::size_t>(ranks),
          [&] { return text(operation, ": ", name, ": length = ", rows.size(), ": there are ", ranks, " ranks"); });
  std::int64_t sum = 0;
  for (std::size_t rank = 0; rank < rows.size(); ++rank) {
    require(rows[rank] >= 0,
            [&] { return text(operation, ": ", name, "[", rank, "] = ", rows[rank], ": must not be negative"); });
    sum += rows[rank];
  }
  return sum;
}

inline void check_rows(std::string_view operation, const char* name, const Rows& rows, std::int64_t expected,
                       const char* why) {
  require(rows.rows() == expected,
          [&] { return text(operation, ": ", name, ".extent(0) = ", rows.rows(), ": must be ", expected, ", ", why); });
}

}  // namespace caesura::comm::impl
