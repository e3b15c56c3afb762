// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/clusters.hpp"

#include <algorithm>
#include <tuple>

namespace caesura::host_simd {

void Clusters::build(const RowIntervals& rows, std::int64_t total_k) {
  clusters_.clear();
  pairs_ = 0;
  Cluster open = {};
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    std::int64_t begin = total_k, end = 0, pairs = 0;
    for (std::int32_t layer = 0; layer < rows.layers; ++layer) {
      const std::int64_t first = rows.first[layer * rows.rows + row], last = rows.last[layer * rows.rows + row];
      if (first >= last) continue;
      begin = std::min(begin, first);
      end = std::max(end, last);
      pairs += last - first;
    }
    if (begin < end) {
      while (begin < open.k_begin) {  // an earlier cluster's: they are one
        const Cluster& last = clusters_.back();
        open.q_begin = last.q_begin;
        open.k_begin = last.k_begin;
        open.pairs += last.pairs;
        clusters_.pop_back();
      }
      if (begin >= open.k_end && row > open.q_begin) {
        close(open);
        open = {.q_begin = row, .q_end = row, .k_begin = open.k_end, .k_end = open.k_end};
      }
      open.k_end = std::max(open.k_end, end);
    }
    open.q_end = row + 1;
    open.pairs += pairs;
    pairs_ += pairs;
  }
  open.k_end = total_k;
  close(open);
}

void Clusters::close(const Cluster& cluster) {
  // Clusters as small as this go together: they share the lanes of one vector.
  constexpr std::int64_t few = 16;
  if (!clusters_.empty()) {
    Cluster& last = clusters_.back();
    if (cluster.q_end - last.q_begin <= few && cluster.k_end - last.k_begin <= few) {
      last.q_end = cluster.q_end;
      last.k_end = cluster.k_end;
      last.pairs += cluster.pairs;
      return;
    }
  }
  clusters_.push_back(cluster);
}

void Clusters::sort() {
  const auto place = [](const Cluster& cluster) {
    return std::tuple(cluster.way, cluster.way == Way::in_place ? 0 : -cluster.pairs, cluster.q_begin, cluster.k_begin);
  };
  std::sort(clusters_.begin(), clusters_.end(),
            [&](const Cluster& a, const Cluster& b) { return place(a) < place(b); });
}

std::span<const Cluster> Clusters::of(Way way) const {
  const auto found = std::equal_range(clusters_.begin(), clusters_.end(), Cluster{.way = way},
                                      [](const Cluster& a, const Cluster& b) { return a.way < b.way; });
  return {found.first, found.second};
}

}  // namespace caesura::host_simd
