// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/order.hpp"

#include <algorithm>
#include <tuple>

namespace caesura::host_simd {

void BackwardOrder::build(const Lowered& rows, std::int64_t rows_of_group) {
  const TileSchedule& schedule = rows.schedule;
  const std::int64_t tiles_of_group = std::max<std::int64_t>(1, rows_of_group / schedule.tile_rows);
  links_.clear();
  for (std::int64_t tile = 0; tile < schedule.tiles; ++tile) {
    const auto queries = static_cast<std::int32_t>(tile / tiles_of_group);
    for (std::int32_t layer = 0; layer < rows.intervals.layers; ++layer) {
      for (std::int32_t i = 0; i < schedule.run_count(layer, tile); ++i) {
        const TileRange run = schedule.run(layer, tile, i);
        for (std::int64_t group = run.begin / rows_of_group; group * rows_of_group < run.end; ++group)
          links_.push_back({{.queries = queries, .keys = static_cast<std::int32_t>(group)}});
      }
    }
  }
  // Keys ascending, the queries of each descending: then a pair comes after all that it has to wait for.
  const auto place = [](const Link& link) { return std::tuple(link.pair.keys, -link.pair.queries); };
  std::sort(links_.begin(), links_.end(), [&](const Link& a, const Link& b) { return place(a) < place(b); });
  links_.erase(
      std::unique(links_.begin(), links_.end(), [&](const Link& a, const Link& b) { return place(a) == place(b); }),
      links_.end());

  next_of_queries_.assign(static_cast<std::size_t>(schedule.tiles / tiles_of_group + 1), {});
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
