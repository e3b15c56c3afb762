// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategies.hpp"

#include <algorithm>
#include <queue>

namespace caesura::solver::impl {

std::vector<OwnedRange> deal_contiguous(const Problem& problem) {
  std::vector<OwnedRange> owned;
  for (std::int32_t rank = 0; rank < problem.ranks(); ++rank) {
    const std::int64_t begin = problem.total() * rank / problem.ranks();
    owned.push_back({{begin, problem.total() * (rank + 1) / problem.ranks()}, rank});
  }
  return owned;
}

/// Each component in 2 x ranks parts, rank r gets parts r and 2 x ranks - 1 - r: the zig-zag of ring attention (Brandon et al. 2023,
/// arXiv:2311.09431), here without its padding. The tokens by which parts are longer than others go to each rank in turn. Components
/// of fewer tokens than parts stay whole.
std::vector<OwnedRange> deal_head_tail(const Problem& problem) {
  const std::int64_t ranks = problem.ranks();
  std::vector<OwnedRange> owned;
  std::vector<Range> whole;
  std::vector<std::int64_t> room;
  for (std::int32_t rank = 0; rank < ranks; ++rank) room.push_back(problem.room(rank));
  std::vector<std::int64_t> extra(static_cast<std::size_t>(ranks));
  std::int64_t turn = 0;
  const auto give = [&](Range rows, std::int64_t rank) {
    if (rows.empty()) return;
    owned.push_back({rows, static_cast<std::int32_t>(rank)});
    room[static_cast<std::size_t>(rank)] -= rows.size();
  };
  for (const Component& component : problem.components()) {
    const std::int64_t rows = component.rows.size();
    if (rows < 2 * ranks && ranks > 1) {
      whole.push_back(component.rows);
      continue;
    }
    std::fill(extra.begin(), extra.end(), 0);
    for (std::int64_t i = 0; i < rows % (2 * ranks); ++i, ++turn) ++extra[static_cast<std::size_t>(turn % ranks)];
    std::int64_t begin = component.rows.begin;
    for (std::int64_t part = 0; part < 2 * ranks; ++part) {
      const std::int64_t rank = part < ranks ? part : 2 * ranks - 1 - part;
      // A rank with one token more has it in its head part, with two one in each.
      const std::int64_t more = extra[static_cast<std::size_t>(rank)] > (part < ranks ? 0 : 1);
      const std::int64_t end = begin + rows / (2 * ranks) + more;
      give({begin, end}, rank);
      begin = end;
    }
  }
  // Longest first to where most room is, the last ones cut.
  std::stable_sort(whole.begin(), whole.end(), [](Range a, Range b) { return a.size() > b.size(); });
  std::priority_queue<std::pair<std::int64_t, std::int64_t>> widest;
  for (std::int64_t rank = 0; rank < ranks; ++rank) widest.emplace(room[static_cast<std::size_t>(rank)], -rank);
  for (Range rest : whole) {
    while (!rest.empty()) {
      const std::int64_t rank = -widest.top().second;
      widest.pop();
      const std::int64_t end = rest.begin + std::min(rest.size(), room[static_cast<std::size_t>(rank)]);
      give({rest.begin, end}, rank);
      rest.begin = end;
      widest.emplace(room[static_cast<std::size_t>(rank)], -rank);
    }
  }
  return owned;
}

std::vector<Chunk> cut_chunks(const Problem& problem, std::span<const std::int64_t> borders) {
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i + 1 < borders.size(); ++i) chunks.push_back({{borders[i], borders[i + 1]}});
  std::size_t chunk = 0;
  for (const Component& component : problem.components()) {
    while (chunks[chunk].rows.end <= component.rows.begin) ++chunk;
    for (std::size_t c = chunk; c < chunks.size() && chunks[c].rows.begin < component.rows.end; ++c)
      chunks[c].pairs += problem.pairs(component, intersect(chunks[c].rows, component.rows));
  }
  return chunks;
}

}  // namespace caesura::solver::impl
