// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/build.hpp"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

namespace caesura::solver::impl {

std::vector<std::vector<BandSlice>> computed_slices(
    const Demand& demand, std::span<const Transfer> transfers,
    const std::function<std::span<const Range>(const Transfer&)>& ranges_of) {
  const std::size_t ranks = demand.slices.groups();
  const std::int64_t all = std::numeric_limits<std::int64_t>::max();
  std::vector<std::vector<BandSlice>> result(ranks);
  std::vector<std::vector<Range>> keys(ranks);
  std::vector<std::uint8_t> lends(ranks);
  // Queries of one rank to another may come in several stages: their work is that of all together.
  std::vector<Transfer> moved;
  for (const Transfer& transfer : transfers) {
    if (transfer.payload == Payload::queries) {
      lends[static_cast<std::size_t>(transfer.source)] = 1;
      moved.push_back(transfer);
    } else if (transfer.payload == Payload::keys) {
      const auto ranges = ranges_of(transfer);
      auto& list = keys[static_cast<std::size_t>(transfer.target)];
      list.insert(list.end(), ranges.begin(), ranges.end());
    }
  }
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto own = demand.slices[rank];
    if (!lends[rank]) {
      result[rank].assign(own.begin(), own.end());
      continue;
    }
    keys[rank].insert(keys[rank].end(), demand.own_keys[rank].begin(), demand.own_keys[rank].end());
    result[rank] = restricted(own, RangeSet({{0, all}}), RangeSet(std::move(keys[rank])));
  }
  std::sort(moved.begin(), moved.end(), [](const Transfer& a, const Transfer& b) {
    return std::tie(a.target, a.source, a.first) < std::tie(b.target, b.source, b.first);
  });
  for (std::size_t i = 0; i < moved.size();) {
    const auto target = static_cast<std::size_t>(moved[i].target);
    const auto source = moved[i].source;
    std::vector<Range> queries;
    for (; i < moved.size() && moved[i].target == static_cast<std::int32_t>(target) && moved[i].source == source; ++i) {
      const auto ranges = ranges_of(moved[i]);
      queries.insert(queries.end(), ranges.begin(), ranges.end());
    }
    const auto own_keys = demand.own_keys[target];
    const auto slices = restricted(demand.slices[static_cast<std::size_t>(source)], RangeSet(std::move(queries)),
                                   RangeSet({own_keys.begin(), own_keys.end()}));
    result[target].insert(result[target].end(), slices.begin(), slices.end());
  }
  return result;
}

}  // namespace caesura::solver::impl
