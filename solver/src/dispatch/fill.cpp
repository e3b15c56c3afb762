// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "fill.hpp"

#include "group.hpp"

#include <algorithm>
#include <queue>
#include <utility>

namespace caesura::solver::impl {

namespace {

Range rows_of(const Deal& deal, std::int32_t c, std::int64_t begin, std::int64_t end) {
  return Ascending(deal.problem(), deal.component(c)).rows(begin, end);
}

/// Where most room is left, from the dense end down.
void put_in_parts(Deal& deal, Left left) {
  while (left.begin < left.end) {
    std::int32_t widest = 0;
    for (std::int32_t rank = 1; rank < deal.problem().ranks(); ++rank)
      if (deal.room(rank) > deal.room(widest)) widest = rank;
    const std::int64_t part = std::min(left.end - left.begin, deal.room(widest));
    deal.put(left.component, rows_of(deal, left.component, left.end - part, left.end), widest);
    left.end -= part;
  }
}

}  // namespace

void fill(Deal& deal, std::vector<Rest> shorts, const std::vector<Left>& left, double cap) {
  // Most come sorted.
  const auto longer = [](const Rest& a, const Rest& b) { return b < a; };
  const auto others = std::is_sorted_until(shorts.begin(), shorts.end(), longer);
  std::sort(others, shorts.end(), longer);
  std::inplace_merge(shorts.begin(), others, shorts.end(), longer);
  using Wish = std::pair<double, std::int32_t>;
  std::priority_queue<Wish> wishes;   // by density that the rank still wants
  std::priority_queue<Wish> waiting;  // by room: too little for the last components, maybe enough for shorter ones
  const auto wish = [&](std::int32_t rank) {
    if (deal.room(rank) > 0) wishes.emplace((cap - deal.work(rank)) / static_cast<double>(deal.room(rank)), -rank);
  };
  for (std::int32_t rank = 0; rank < deal.problem().ranks(); ++rank) wish(rank);
  for (const Rest rest : shorts) {
    for (; !waiting.empty() && waiting.top().first >= static_cast<double>(rest.rows); waiting.pop())
      wish(-waiting.top().second);
    while (!wishes.empty() && deal.room(-wishes.top().second) < rest.rows) {
      waiting.emplace(static_cast<double>(deal.room(-wishes.top().second)), wishes.top().second);
      wishes.pop();
    }
    if (wishes.empty()) {
      // Nobody has room for all of it: from the dense end down, where most room is.
      for (std::int64_t end = rest.rows; end > 0;) {
        const std::int32_t rank = -waiting.top().second;
        waiting.pop();
        const std::int64_t part = std::min(end, deal.room(rank));
        deal.put(rest.component, rows_of(deal, rest.component, end - part, end), rank);
        end -= part;
        if (deal.room(rank) > 0) waiting.emplace(static_cast<double>(deal.room(rank)), -rank);
      }
      continue;
    }
    const std::int32_t rank = -wishes.top().second;
    wishes.pop();
    deal.put(rest.component, rows_of(deal, rest.component, 0, rest.rows), rank);
    wish(rank);
  }
  for (const Left& rows : left) put_in_parts(deal, rows);
}

}  // namespace caesura::solver::impl
