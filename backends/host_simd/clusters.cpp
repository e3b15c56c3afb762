// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/clusters.hpp"

#include <algorithm>

namespace caesura::host_simd {

bool Clusters::build(const RowIntervals& rows, std::int64_t total_k, std::int64_t most_keys) {
  // Clusters as small as this go together: they share the lanes of one vector.
  constexpr std::int64_t few = 16;
  clusters_.clear();
  if (rows.rows == 0) return false;
  Cluster open = {0, 0, 0, 0};
  const auto close = [&](std::int64_t k_end) {
    open.k_end = k_end;
    if (open.k_end - open.k_begin > most_keys) return false;
    if (!clusters_.empty()) {
      Cluster& last = clusters_.back();
      if (open.q_end - last.q_begin <= few && open.k_end - last.k_begin <= few) {
        last.q_end = open.q_end;
        last.k_end = open.k_end;
        return true;
      }
    }
    clusters_.push_back(open);
    return true;
  };
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    std::int64_t begin = total_k, end = 0;
    for (std::int32_t layer = 0; layer < rows.layers; ++layer) {
      const std::int64_t first = rows.first[layer * rows.rows + row], last = rows.last[layer * rows.rows + row];
      if (first >= last) continue;
      begin = std::min(begin, first);
      end = std::max(end, last);
    }
    if (begin < end) {
      if (begin < open.k_begin) return false;  // an earlier cluster's
      if (begin >= open.k_end && row > open.q_begin) {
        const std::int64_t border = open.k_end;
        if (!close(border)) return false;
        open = {row, row, border, border};
      }
      open.k_end = std::max(open.k_end, end);
      if (open.k_end - open.k_begin > most_keys) return false;
    }
    open.q_end = row + 1;
  }
  return close(total_k);
}

}  // namespace caesura::host_simd
