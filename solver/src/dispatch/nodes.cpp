// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategies.hpp"

#include <algorithm>

namespace caesura::solver::impl {

namespace {

/// From the first to the last key of one component that a rank needs.
struct Need {
  std::int32_t rank;
  std::int32_t component;
  Range keys;
};

/// Of the components that more than one rank shares, by component, then rank.
std::vector<Need> shared_needs(const Problem& problem, std::vector<OwnedRange>& owned) {
  std::sort(owned.begin(), owned.end(),
            [](const OwnedRange& a, const OwnedRange& b) { return a.rows.begin < b.rows.begin; });
  std::vector<Need> needs;
  std::size_t piece = 0;
  for (std::size_t c = 0; c < problem.components().size(); ++c) {
    const Component& component = problem.components()[c];
    const std::size_t first = needs.size();
    while (owned[piece].rows.end <= component.rows.begin) ++piece;
    for (std::size_t i = piece; i < owned.size() && owned[i].rows.begin < component.rows.end; ++i) {
      const Range rows = intersect(owned[i].rows, component.rows);
      for (const WeightedSlice& weighted : problem.slices(component)) {
        const BandSlice part = weighted.slice.restricted(rows, weighted.slice.k()).tight();
        if (!part.q().empty()) needs.push_back({owned[i].rank, static_cast<std::int32_t>(c), part.k()});
      }
    }
    std::sort(needs.begin() + static_cast<std::ptrdiff_t>(first), needs.end(),
              [](const Need& a, const Need& b) { return a.rank < b.rank; });
    std::size_t last = first;
    for (std::size_t i = first; i < needs.size(); ++i) {
      if (last > first && needs[last - 1].rank == needs[i].rank) {
        Range& keys = needs[last - 1].keys;
        keys = {std::min(keys.begin, needs[i].keys.begin), std::max(keys.end, needs[i].keys.end)};
      } else {
        needs[last++] = needs[i];
      }
    }
    needs.resize(last - first < 2 ? first : last);
  }
  return needs;
}

}  // namespace

/// Node by node: the rank that needs most of what nobody else has begins, then comes each time the one that shares most keys
/// with those in the node already.
void group_into_nodes(const Problem& problem, std::int32_t ranks_per_node, std::vector<OwnedRange>& owned) {
  const std::vector<Need> needs = shared_needs(problem, owned);
  const std::size_t ranks = static_cast<std::size_t>(problem.ranks());
  std::vector<std::vector<std::size_t>> of_rank(ranks);
  std::vector<std::pair<std::size_t, std::size_t>> of_component(problem.components().size(), {0, 0});
  std::vector<std::int64_t> rows(ranks, 0);
  for (std::size_t i = 0; i < needs.size(); ++i) {
    auto& [first, last] = of_component[static_cast<std::size_t>(needs[i].component)];
    if (last == 0) first = i;
    last = i + 1;
    of_rank[static_cast<std::size_t>(needs[i].rank)].push_back(i);
    rows[static_cast<std::size_t>(needs[i].rank)] += needs[i].keys.size();
  }

  std::vector<std::int32_t> number(ranks, -1);
  std::vector<std::int64_t> shared(ranks);
  std::vector<Range> held(problem.components().size());
  std::int32_t next = 0;
  // Ranks of different token counts keep theirs: rooms are equal within one token in any order.
  while (next < problem.ranks()) {
    std::fill(shared.begin(), shared.end(), 0);
    std::fill(held.begin(), held.end(), Range{});
    for (std::int32_t place = 0; place < ranks_per_node; ++place) {
      std::size_t chosen = ranks;
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        if (number[rank] >= 0) continue;
        if (chosen == ranks || shared[rank] > shared[chosen] ||
            (shared[rank] == shared[chosen] && rows[rank] > rows[chosen]))
          chosen = rank;
      }
      number[chosen] = next++;
      for (const std::size_t i : of_rank[chosen]) {
        const auto [first, last] = of_component[static_cast<std::size_t>(needs[i].component)];
        Range& now = held[static_cast<std::size_t>(needs[i].component)];
        const Range then = now.empty()
                               ? needs[i].keys
                               : Range{std::min(now.begin, needs[i].keys.begin), std::max(now.end, needs[i].keys.end)};
        for (std::size_t other = first; other < last; ++other)
          shared[static_cast<std::size_t>(needs[other].rank)] +=
              intersect(needs[other].keys, then).size() - intersect(needs[other].keys, now).size();
        now = then;
      }
    }
  }
  for (OwnedRange& piece : owned) piece.rank = number[static_cast<std::size_t>(piece.rank)];
}

}  // namespace caesura::solver::impl
