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

/// Rows that each rank receives and sends, weighted by layers.
struct RowTraffic {
  explicit RowTraffic(std::int32_t ranks)
      : received(static_cast<std::size_t>(ranks), 0), sent(static_cast<std::size_t>(ranks), 0) {}

  double most(std::int32_t rank) const {
    return std::max(received[static_cast<std::size_t>(rank)], sent[static_cast<std::size_t>(rank)]);
  }

  std::vector<double> received;
  std::vector<double> sent;
};

/// Counts what a component's rows cost. Keeps its scratch memory from call to call.
class TrafficCounter {
 public:
  explicit TrafficCounter(const Problem& problem)
      : problem_(&problem), seen_(static_cast<std::size_t>(problem.ranks()), 0) {}

  /// Adds \p sign times what the component costs if its pieces lie as \p pieces says: sorted, disjoint.
  void add(const Component& component, std::span<const OwnedRange> pieces, double sign, RowTraffic& traffic);

 private:
  void add_prefix(const Component& component, std::span<const OwnedRange> pieces, double sign, RowTraffic& traffic);
  void add_full(const Component& component, std::span<const OwnedRange> pieces, double sign, RowTraffic& traffic);
  void add_general(const Component& component, std::span<const OwnedRange> pieces, double sign, RowTraffic& traffic);
  /// Of one rank with the pieces `order_[first, last)`: rows it needs and does not own; notes their borders.
  double count_needs(std::span<const WeightedSlice> slices, std::span<const OwnedRange> pieces, std::size_t first,
                     std::size_t last);
  void count_sends(std::span<const OwnedRange> pieces, double weight, RowTraffic& traffic);

  const Problem* problem_;
  std::vector<std::pair<std::int32_t, std::int64_t>> last_;  ///< each rank of a component and the end of its last piece
  std::vector<std::int64_t> seen_;                           ///< by rank: the call that met it last
  std::int64_t call_ = 0;
  std::vector<Range> needs_;
  std::vector<std::pair<std::int64_t, std::int32_t>> borders_;  ///< where a needed range begins (+1) or ends (-1)
  std::vector<std::int32_t> order_;                             ///< pieces by rank
};

}  // namespace caesura::solver::impl
