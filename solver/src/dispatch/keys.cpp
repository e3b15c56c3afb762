// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategies.hpp"
#include <caesura/solver/range_set.hpp>

#include <algorithm>

namespace caesura::solver::impl {

std::vector<OwnedRange> deal_keys(std::span<const WeightedMask> masks, std::int32_t ranks,
                                  std::span<const OwnedRange> queries) {
  const std::int64_t total = masks[0].mask.total_k();
  // Where a rank's need begins (+) or ends (-): rank + 1 with that sign.
  std::vector<std::pair<std::int64_t, std::int32_t>> borders;
  std::vector<std::vector<Range>> needs(static_cast<std::size_t>(ranks));
  const Placement placement =
      Placement::apart(ranks, masks[0].mask.total_q(), {queries.begin(), queries.end()}, total,
                       total > 0 ? std::vector<OwnedRange>{{{0, total}, 0}} : std::vector<OwnedRange>{});
  for (const WeightedMask& weighted : masks) {
    const auto slices = slices_by_rank(weighted.mask, placement);
    for (std::size_t rank = 0; rank < slices.size(); ++rank)
      for (const BandSlice& slice : slices[rank]) needs[rank].push_back(slice.k());
  }
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    for (const Range keys : RangeSet(std::move(needs[static_cast<std::size_t>(rank)]))) {
      borders.emplace_back(keys.begin, rank + 1);
      borders.emplace_back(keys.end, -(rank + 1));
    }
  }
  borders.emplace_back(total, 0);
  std::sort(borders.begin(), borders.end());

  std::vector<std::int64_t> room;
  for (std::int64_t rank = 0; rank < ranks; ++rank) room.push_back(total * (rank + 1) / ranks - total * rank / ranks);
  std::vector<std::int32_t> takers;
  std::vector<OwnedRange> owned;
  std::vector<Range> unwanted;
  const auto roomiest = [&](std::int32_t a, std::int32_t b) {
    return room[static_cast<std::size_t>(a)] < room[static_cast<std::size_t>(b)];
  };
  std::int64_t row = 0;
  for (const auto& [border, change] : borders) {
    while (row < border) {
      const auto taker = std::max_element(takers.begin(), takers.end(), roomiest);
      if (taker == takers.end() || room[static_cast<std::size_t>(*taker)] == 0) {
        unwanted.push_back({row, border});
        row = border;
        break;
      }
      const std::int64_t rows = std::min(border - row, room[static_cast<std::size_t>(*taker)]);
      owned.push_back({{row, row + rows}, *taker});
      room[static_cast<std::size_t>(*taker)] -= rows;
      row += rows;
    }
    if (change > 0) takers.push_back(change - 1);
    if (change < 0) std::erase(takers, -change - 1);
  }
  // Keys that nobody has room for among those that need them, or that nobody needs.
  std::int32_t rank = 0;
  for (Range rest : unwanted) {
    while (!rest.empty()) {
      while (room[static_cast<std::size_t>(rank)] == 0) ++rank;
      const std::int64_t rows = std::min(rest.size(), room[static_cast<std::size_t>(rank)]);
      owned.push_back({{rest.begin, rest.begin + rows}, rank});
      room[static_cast<std::size_t>(rank)] -= rows;
      rest.begin += rows;
    }
  }
  return owned;
}

}  // namespace caesura::solver::impl
