// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategies.hpp"
#include <caesura/solver/range_set.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

namespace caesura::solver::impl {

namespace {

std::vector<Chunk> by_falling_pairs(const Problem& problem, std::int64_t size) {
  std::vector<std::int64_t> borders;
  for (std::int64_t border = 0; border < problem.total(); border += size) borders.push_back(border);
  borders.push_back(problem.total());
  std::vector<Chunk> chunks = cut_chunks(problem, borders);
  std::stable_sort(chunks.begin(), chunks.end(), [](const Chunk& a, const Chunk& b) { return a.pairs > b.pairs; });
  return chunks;
}

/// What is left of a chunk that did not fit: its pairs by its share of the rows.
Chunk cut_front(Chunk& chunk, std::int64_t rows) {
  Chunk front = chunk;
  front.rows.end = front.rows.begin + rows;
  front.pairs = chunk.pairs * static_cast<double>(rows) / static_cast<double>(chunk.rows.size());
  chunk.rows.begin = front.rows.end;
  chunk.pairs -= front.pairs;
  return front;
}

/// `intersect(some, many).size()`, without making that set.
std::int64_t common_rows(const RangeSet& some, const RangeSet& many) {
  std::int64_t rows = 0;
  for (const Range range : some) {
    auto other = std::partition_point(many.begin(), many.end(), [&](Range r) { return r.end <= range.begin; });
    for (; other != many.end() && other->begin < range.end; ++other) rows += intersect(range, *other).size();
  }
  return rows;
}

}  // namespace

std::int64_t default_chunk(const Problem& problem) {
  return std::clamp<std::int64_t>(problem.total() / (8 * std::int64_t{problem.ranks()}), 1, 512);
}

/// Longest processing time first (Graham 1969): each chunk to the rank with the fewest pairs that still has room for tokens.
std::vector<OwnedRange> deal_lpt(const Problem& problem, std::int64_t chunk_rows) {
  using Load = std::pair<double, std::int32_t>;
  std::priority_queue<Load, std::vector<Load>, std::greater<>> heap;
  std::vector<std::int64_t> room(static_cast<std::size_t>(problem.ranks()));
  for (std::int32_t rank = 0; rank < problem.ranks(); ++rank) {
    room[static_cast<std::size_t>(rank)] = problem.room(rank);
    if (problem.room(rank) > 0) heap.emplace(0.0, rank);
  }
  std::vector<OwnedRange> owned;
  for (Chunk chunk : by_falling_pairs(problem, chunk_rows)) {
    while (!chunk.rows.empty()) {
      const auto [pairs, rank] = heap.top();
      heap.pop();
      std::int64_t& left = room[static_cast<std::size_t>(rank)];
      const Chunk part = cut_front(chunk, std::min(left, chunk.rows.size()));
      owned.push_back({part.rows, rank});
      left -= part.rows.size();
      if (left > 0) heap.emplace(pairs + part.pairs, rank);
    }
  }
  return owned;
}

/// MagiAttention's top-p heap: among the `ceil(top_p x ranks)` least loaded ranks, the one that already holds most of the chunk's
/// keys gets it.
std::vector<OwnedRange> deal_topp(const Problem& problem, std::int64_t chunk_rows, double top_p) {
  const std::size_t ranks = static_cast<std::size_t>(problem.ranks());
  const auto candidates = static_cast<std::ptrdiff_t>(std::ceil(top_p * static_cast<double>(ranks)));
  std::vector<std::int64_t> room(ranks);
  for (std::size_t rank = 0; rank < ranks; ++rank) room[rank] = problem.room(static_cast<std::int32_t>(rank));
  std::vector<double> pairs(ranks, 0);
  std::vector<RangeSet> held(ranks);
  // Ranks with room for tokens, lightest first.
  std::vector<std::int32_t> order;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    if (room[rank] > 0) order.push_back(static_cast<std::int32_t>(rank));
  std::vector<OwnedRange> owned;

  const auto keys_of = [&](Range rows) {
    std::vector<Range> keys;
    auto component = std::partition_point(problem.components().begin(), problem.components().end(),
                                          [&](const Component& c) { return c.rows.end <= rows.begin; });
    for (; component != problem.components().end() && component->rows.begin < rows.end; ++component) {
      for (const WeightedSlice& weighted : problem.slices(*component)) {
        const BandSlice part = weighted.slice.restricted(rows, weighted.slice.k()).tight();
        if (!part.q().empty()) keys.push_back(part.k());
      }
    }
    return RangeSet(std::move(keys));
  };

  for (Chunk chunk : by_falling_pairs(problem, chunk_rows)) {
    while (!chunk.rows.empty()) {
      const auto kept = order.begin() + std::min(candidates, std::ssize(order));
      const RangeSet keys = keys_of(chunk.rows);
      auto chosen = order.begin();
      std::int64_t most = -1;
      for (auto rank = order.begin(); rank != kept; ++rank) {
        const std::int64_t overlap = common_rows(keys, held[static_cast<std::size_t>(*rank)]);
        if (overlap > most) most = overlap, chosen = rank;
      }
      const auto best = static_cast<std::size_t>(*chosen);
      const Chunk part = cut_front(chunk, std::min(room[best], chunk.rows.size()));
      owned.push_back({part.rows, static_cast<std::int32_t>(best)});
      room[best] -= part.rows.size();
      pairs[best] += part.pairs;
      held[best] = unite(held[best], keys);
      // Its place among the heavier ones.
      const auto heavier = std::find_if(chosen + 1, order.end(), [&](std::int32_t rank) {
        const double other = pairs[static_cast<std::size_t>(rank)];
        return other != pairs[best] ? other > pairs[best] : rank > static_cast<std::int32_t>(best);
      });
      std::rotate(chosen, chosen + 1, heavier);
      if (room[best] == 0) order.erase(heavier - 1);
    }
  }
  return owned;
}

}  // namespace caesura::solver::impl
