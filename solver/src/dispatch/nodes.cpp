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

/// Ranks and what each needs of shared components, while they are being put into nodes.
class Grouping {
 public:
  Grouping(const Problem& problem, std::int32_t ranks_per_node, const std::vector<Need>& needs)
      : needs_(needs),
        ranks_(static_cast<std::size_t>(problem.ranks())),
        per_node_(static_cast<std::size_t>(ranks_per_node)),
        of_rank_(ranks_),
        of_component_(problem.components().size(), {0, 0}),
        held_(problem.components().size()) {
    for (std::size_t i = 0; i < needs.size(); ++i) {
      auto& [first, last] = of_component_[static_cast<std::size_t>(needs[i].component)];
      if (last == 0) first = i;
      last = i + 1;
      of_rank_[static_cast<std::size_t>(needs[i].rank)].push_back(i);
    }
  }

  /// Node by node: the rank that needs most of what nobody else has begins, then comes each time the one that shares most keys
  /// with those in the node already.
  void fill() {
    std::vector<char> placed(ranks_, 0);
    std::vector<std::int64_t> shared(ranks_);
    std::vector<std::int64_t> rows(ranks_, 0);
    for (const Need& need : needs_) rows[static_cast<std::size_t>(need.rank)] += need.keys.size();
    while (order_.size() < ranks_) {
      std::fill(shared.begin(), shared.end(), 0);
      for (std::size_t place = 0; place < per_node_; ++place) {
        std::size_t chosen = ranks_;
        for (std::size_t rank = 0; rank < ranks_; ++rank) {
          if (placed[rank]) continue;
          if (chosen == ranks_ || shared[rank] > shared[chosen] ||
              (shared[rank] == shared[chosen] && rows[rank] > rows[chosen]))
            chosen = rank;
        }
        placed[chosen] = 1;
        order_.push_back(chosen);
        for (const std::size_t i : of_rank_[chosen]) {
          const auto [first, last] = of_component_[static_cast<std::size_t>(needs_[i].component)];
          const Range before = held_[static_cast<std::size_t>(needs_[i].component)];
          const Range after = hold(needs_[i]);
          for (std::size_t other = first; other < last; ++other)
            shared[static_cast<std::size_t>(needs_[other].rank)] +=
                intersect(needs_[other].keys, after).size() - intersect(needs_[other].keys, before).size();
        }
      }
      release();
    }
  }

  /// Swaps ranks of two nodes as long as fewer rows enter the nodes then; of each node with as many of the next ones as keeps this in
  /// milliseconds.
  void improve() {
    const std::size_t nodes = ranks_ / per_node_;
    const std::size_t reach = std::max<std::size_t>(1, 512 / ranks_);
    std::vector<std::int64_t> rows(nodes);
    for (std::size_t node = 0; node < nodes; ++node) rows[node] = rows_of(node);
    for (std::size_t a = 0; a < nodes; ++a) {
      for (std::size_t b = a + 1; b < std::min(nodes, a + 1 + reach); ++b) {
        for (std::size_t i = a * per_node_; i < (a + 1) * per_node_; ++i) {
          for (std::size_t j = b * per_node_; j < (b + 1) * per_node_; ++j) {
            std::swap(order_[i], order_[j]);
            const std::int64_t rows_a = rows_of(a);
            const std::int64_t rows_b = rows_of(b);
            if (rows_a + rows_b < rows[a] + rows[b]) {
              rows[a] = rows_a;
              rows[b] = rows_b;
            } else {
              std::swap(order_[i], order_[j]);
            }
          }
        }
      }
    }
  }

  /// Ranks, node by node.
  const std::vector<std::size_t>& order() const { return order_; }

 private:
  /// The keys of the need's component that the node in the making holds with it.
  Range hold(const Need& need) {
    Range& now = held_[static_cast<std::size_t>(need.component)];
    if (now.empty()) {
      touched_.push_back(need.component);
      return now = need.keys;
    }
    return now = {std::min(now.begin, need.keys.begin), std::max(now.end, need.keys.end)};
  }
  void release() {
    for (const std::int32_t component : touched_) held_[static_cast<std::size_t>(component)] = {};
    touched_.clear();
  }

  std::int64_t rows_of(std::size_t node) {
    for (std::size_t i = node * per_node_; i < (node + 1) * per_node_; ++i)
      for (const std::size_t need : of_rank_[order_[i]]) hold(needs_[need]);
    std::int64_t rows = 0;
    for (const std::int32_t component : touched_) rows += held_[static_cast<std::size_t>(component)].size();
    release();
    return rows;
  }

  const std::vector<Need>& needs_;
  const std::size_t ranks_;
  const std::size_t per_node_;
  std::vector<std::vector<std::size_t>> of_rank_;
  std::vector<std::pair<std::size_t, std::size_t>> of_component_;
  std::vector<Range> held_;  ///< by component
  std::vector<std::int32_t> touched_;
  std::vector<std::size_t> order_;
};

}  // namespace

void group_into_nodes(const Problem& problem, std::int32_t ranks_per_node, std::vector<OwnedRange>& owned) {
  const std::vector<Need> needs = shared_needs(problem, owned);
  Grouping grouping(problem, ranks_per_node, needs);
  grouping.fill();
  for (int pass = 0; pass < 2; ++pass) grouping.improve();
  std::vector<std::int32_t> number(grouping.order().size());
  for (std::size_t i = 0; i < number.size(); ++i) number[grouping.order()[i]] = static_cast<std::int32_t>(i);
  for (OwnedRange& piece : owned) piece.rank = number[static_cast<std::size_t>(piece.rank)];
}

}  // namespace caesura::solver::impl
