// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "problem.hpp"
#include <caesura/solver/placement.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// Rows of one component on their way from one rank to another.
struct Move {
  std::int32_t component = 0;
  Range rows;
  std::int32_t from = 0;
  std::int32_t to = 0;
};

/// Rows that some of the ranks receive and send, or receive and send more than before; weighted by layers.
class TrafficSum {
 public:
  struct Entry {
    std::int32_t rank;
    double received;
    double sent;
  };

  explicit TrafficSum(std::int32_t ranks) : place_(static_cast<std::size_t>(ranks), -1) {}

  /// In the order in which they were met first.
  std::span<const Entry> entries() const { return entries_; }
  void add(std::int32_t rank, double received, double sent) {
    std::int32_t& place = place_[static_cast<std::size_t>(rank)];
    if (place < 0) {
      place = static_cast<std::int32_t>(entries_.size());
      entries_.push_back({rank, 0, 0});
    }
    entries_[static_cast<std::size_t>(place)].received += received;
    entries_[static_cast<std::size_t>(place)].sent += sent;
  }
  void clear() {
    for (const Entry& entry : entries_) place_[static_cast<std::size_t>(entry.rank)] = -1;
    entries_.clear();
  }

 private:
  std::vector<Entry> entries_;
  std::vector<std::int32_t> place_;  ///< by rank: in `entries_`, or -1
};

/// Rows that each rank receives and sends.
struct RowTraffic {
  explicit RowTraffic(std::int32_t ranks)
      : received(static_cast<std::size_t>(ranks), 0), sent(static_cast<std::size_t>(ranks), 0) {}

  double most(std::int32_t rank) const {
    return std::max(received[static_cast<std::size_t>(rank)], sent[static_cast<std::size_t>(rank)]);
  }
  void add(const TrafficSum& sum) {
    for (const TrafficSum::Entry& entry : sum.entries()) {
      received[static_cast<std::size_t>(entry.rank)] += entry.received;
      sent[static_cast<std::size_t>(entry.rank)] += entry.sent;
    }
  }

  std::vector<double> received;
  std::vector<double> sent;
};

/// Counts what a component's rows cost. Keeps its scratch memory from call to call.
///
/// Components are *plain* where a rank needs all rows up to its reach: in a causal document the end of its last piece, in a full one
/// the end of the component. Each row then goes to every rank whose reach lies behind it, and a move changes the reach of two ranks.
class TrafficCounter {
 public:
  explicit TrafficCounter(const Problem& problem)
      : problem_(&problem), seen_(static_cast<std::size_t>(problem.ranks()), 0) {}

  static bool is_plain(const Component& component) { return component.prefix || component.full; }

  /// Adds what the component costs if its pieces lie as \p pieces says: sorted, disjoint. Of a plain one, \p takers becomes how many ranks
  /// need each piece, its owner among them.
  void add(const Component& component, std::span<const OwnedRange> pieces, std::vector<std::int32_t>& takers,
           TrafficSum& sum);

  /// Adds what moves of a plain component's rows change, all between the same two ranks and each out of one of the \p pieces.
  void add_moves(const Component& component, std::span<const OwnedRange> pieces, std::span<const std::int32_t> takers,
                 std::span<const Move> moves, TrafficSum& sum) const;

  /// Adds \p sign times what a component costs, whatever its mask.
  void add_general(const Component& component, std::span<const OwnedRange> pieces, double sign, TrafficSum& sum);

 private:
  void add_plain(const Component& component, std::span<const OwnedRange> pieces, std::vector<std::int32_t>& takers,
                 TrafficSum& sum);
  /// Of one rank with the pieces `order_[first, last)`: rows it needs and does not own; notes their borders.
  double count_needs(std::span<const WeightedSlice> slices, std::span<const OwnedRange> pieces, std::size_t first,
                     std::size_t last);
  void count_sends(std::span<const OwnedRange> pieces, double weight, TrafficSum& sum);

  const Problem* problem_;
  std::vector<std::int64_t> seen_;  ///< by rank: the call that met it last
  std::int64_t call_ = 0;
  std::vector<Range> needs_;
  std::vector<std::pair<std::int64_t, std::int32_t>> borders_;  ///< where a needed range begins (+1) or ends (-1)
  std::vector<std::int32_t> order_;                             ///< pieces by rank
};

}  // namespace caesura::solver::impl
