// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/order.hpp"

#include <algorithm>
#include <tuple>

namespace caesura::host_simd {

void GroupedRows::add(RowRange rows, std::int64_t of_block, std::int64_t of_group) {
  for (std::int64_t i = 0; i < rows.pieces(of_group); ++i) {
    const auto first = static_cast<std::int64_t>(blocks.size());
    const RowRange group = rows.piece(i, of_group);
    for (std::int64_t j = 0; j < group.pieces(of_block); ++j) blocks.push_back(group.piece(j, of_block));
    groups.push_back({first, static_cast<std::int64_t>(blocks.size())});
  }
}

void BackwardOrder::cut(std::span<const Cluster> clusters, std::int64_t of_block, std::int64_t of_group) {
  queries_.clear();
  keys_.clear();
  cuts_.clear();
  rows_of_group_ = of_group;
  for (const Cluster& cluster : clusters) {
    const std::size_t q_begin = queries_.groups.size(), k_begin = keys_.groups.size();
    queries_.add({cluster.q_begin, cluster.q_end}, of_block, of_group);
    keys_.add({cluster.k_begin, cluster.k_end}, of_block, of_group);
    cuts_.push_back({q_begin, queries_.groups.size(), k_begin, keys_.groups.size(), cluster.k_begin});
  }
}

FindSliceRanges BackwardOrder::slices(const RowIntervals& intervals, int lanes, std::int64_t slices_of_block) {
  FindSliceRanges result = {intervals, queries_.blocks, lanes, slices_of_block, nullptr};
  ranges_.resize(static_cast<std::size_t>(result.items()));
  result.ranges = ranges_.data();
  return result;
}

void BackwardOrder::link(const FindSliceRanges& found) {
  links_.clear();
  seen_by_.assign(keys_.groups.size(), 0);
  for (const Cut& cut : cuts_) {
    for (std::size_t q = cut.q_begin; q < cut.q_end; ++q) {
      const auto see = [&](TileRange keys) {
        if (keys.begin >= keys.end) return;
        const auto group_of = [&](std::int64_t key) {
          return cut.k_begin + static_cast<std::size_t>((key - cut.first_key) / rows_of_group_);
        };
        for (std::size_t k = group_of(keys.begin); k <= group_of(keys.end - 1); ++k) {
          if (seen_by_[k] == q + 1) continue;
          seen_by_[k] = q + 1;
          links_.push_back({{.queries = static_cast<std::int32_t>(q), .keys = static_cast<std::int32_t>(k)}});
        }
      };
      const GroupedRows::Group group = queries_.groups[q];
      for (std::int32_t layer = 0; layer < found.intervals.layers; ++layer) {
        for (std::int64_t s = group.begin * found.slices_of_block; s < group.end * found.slices_of_block; ++s)
          see(found.ranges[layer * found.slices() + s].hull);
      }
    }
  }
  // Keys ascending, the queries of each descending: then a pair comes after all that it has to wait for.
  const auto place = [](const Link& link) { return std::tuple(link.pair.keys, -link.pair.queries); };
  std::sort(links_.begin(), links_.end(), [&](const Link& a, const Link& b) { return place(a) < place(b); });

  next_of_queries_.assign(queries_.groups.size(), {});
  begins_.assign(1, 0);
  Next next_of_keys;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (i == 0 || links_[i - 1].pair.keys != link.pair.keys) next_of_keys = {};
    Next& next = next_of_queries_[static_cast<std::size_t>(link.pair.queries)];
    link.level = std::max(next.level, next_of_keys.level);
    next.level = next_of_keys.level = link.level + 1;
    link.pair.queries_before = next.pairs++;
    link.pair.keys_before = next_of_keys.pairs++;
    begins_.resize(std::max(begins_.size(), link.level + 2), 0);
    ++begins_[link.level + 1];
  }
  for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
  filled_ = begins_;
  pairs_.resize(links_.size());
  for (const Link& link : links_) pairs_[filled_[link.level]++] = link.pair;
}

}  // namespace caesura::host_simd
