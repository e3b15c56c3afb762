// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/demand.hpp"

#include <algorithm>
#include <utility>

namespace caesura::solver::impl {

namespace {

struct RankSlice {
  std::int32_t rank;
  BandSlice slice;
};

Grouped<BandSlice> slices_of_ranks(const Mask& mask, const Placement& placement) {
  const std::span<const OwnedRange> owned = placement.queries();
  std::vector<RankSlice> parts;
  parts.reserve(mask.slices().size() + owned.size());
  // Slices come by first query: the first owner that one meets is never before that of the slice ahead of it.
  std::size_t first = 0;
  for (const BandSlice& slice : mask.slices()) {
    while (owned[first].rows.end <= slice.q_begin) ++first;
    for (std::size_t i = first; i < owned.size() && owned[i].rows.begin < slice.q_end; ++i) {
      // The mask's slices are tight: one that lies within an owner's rows is taken as it is.
      const bool whole = owned[i].rows.begin <= slice.q_begin && slice.q_end <= owned[i].rows.end;
      const BandSlice part = whole ? slice : slice.restricted(owned[i].rows, slice.k()).tight();
      if (!part.q().empty()) parts.push_back({owned[i].rank, part});
    }
  }
  return grouped(
      static_cast<std::size_t>(placement.ranks()), parts,
      [](const RankSlice& part) { return static_cast<std::size_t>(part.rank); },
      [](const RankSlice& part) { return part.slice; });
}

/// Sorted, and merged where they touch or overlap, to the end of \p result.
void append_union(std::vector<Range>& ranges, std::vector<Range>& result) {
  const auto by_begin = [](Range a, Range b) { return a.begin < b.begin; };
  if (!std::is_sorted(ranges.begin(), ranges.end(), by_begin)) std::sort(ranges.begin(), ranges.end(), by_begin);
  const std::size_t begin = result.size();
  for (const Range range : ranges) {
    if (result.size() > begin && range.begin <= result.back().end) {
      result.back().end = std::max(result.back().end, range.end);
    } else {
      result.push_back(range);
    }
  }
}

}  // namespace

Demand demand_of(const Mask& mask, const Placement& placement) {
  const auto ranks = static_cast<std::size_t>(placement.ranks());
  Demand demand;
  demand.slices = slices_of_ranks(mask, placement);
  demand.own_keys = grouped(
      ranks, placement.keys(), [](const OwnedRange& piece) { return static_cast<std::size_t>(piece.rank); },
      [](const OwnedRange& piece) { return piece.rows; });
  demand.area.resize(ranks);
  std::vector<Range> seen;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    seen.clear();
    for (const BandSlice& slice : demand.slices[rank]) {
      seen.push_back(slice.k());
      demand.area[rank] += slice.area();
    }
    append_union(seen, demand.needed.values);
    demand.needed.end_group();
  }
  return demand;
}

std::int64_t area_on(std::span<const BandSlice> slices, std::span<const Range> keys) {
  std::int64_t area = 0;
  for (const BandSlice& slice : slices) {
    auto k = std::upper_bound(keys.begin(), keys.end(), slice.k_begin,
                              [](std::int64_t key, Range range) { return key < range.end; });
    for (; k != keys.end() && k->begin < slice.k_end; ++k) area += slice.restricted(slice.q(), *k).area();
  }
  return area;
}

}  // namespace caesura::solver::impl
