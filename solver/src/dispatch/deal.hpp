// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "problem.hpp"
#include "traffic.hpp"
#include <caesura/solver/placement.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// A dealing in the making: which rank owns which rows of each component, and what that costs each rank.
class Deal {
 public:
  explicit Deal(const Problem& problem);

  const Problem& problem() const { return *problem_; }
  const Component& component(std::int32_t c) const { return problem_->components()[static_cast<std::size_t>(c)]; }

  /// Gives \p rows of component \p c, that nobody owns so far, to \p rank.
  void put(std::int32_t c, Range rows, std::int32_t rank);

  /// Tokens that the rank still may own.
  std::int64_t room(std::int32_t rank) const { return room_[static_cast<std::size_t>(rank)]; }
  /// Pairs the rank computes, and from `measure_work` on what its tiles and rows cost beside them.
  double work(std::int32_t rank) const {
    return pairs_[static_cast<std::size_t>(rank)] + extra_[static_cast<std::size_t>(rank)];
  }
  double mean_work() const { return mean_work_; }
  double most_work() const;
  std::span<const OwnedRange> pieces(std::int32_t c) const { return pieces_[static_cast<std::size_t>(c)]; }
  /// The components of which the rank owns rows.
  std::span<const std::int32_t> components_of(std::int32_t rank) const {
    return components_of_[static_cast<std::size_t>(rank)];
  }

  /// Looks up what tiles and rows cost each rank beside its pairs. Moves count pairs alone: after many of them it is due again.
  void measure_work();

  /// Counts what everybody sends and receives; moves keep it up to date from then on.
  void count_traffic();
  const RowTraffic& traffic() const { return traffic_; }
  /// Rows, by all ranks together.
  double received() const;
  /// Received or sent by one rank.
  double most_rows() const;

  /// What moves between two ranks would change, all of them together.
  struct Effect {
    double received = 0;  ///< rows received by all ranks
    double excess = 0;    ///< rows sent or received by the ranks whose traffic changes beyond `limit`
    double most = 0;      ///< sent or received by one of these ranks, afterwards
  };
  Effect effect(std::span<const Move> moves, double limit);
  /// Pieces that `effect` has looked at so far, a measure of the time it took.
  std::int64_t looked_at() const { return looked_at_; }
  void apply(std::span<const Move> moves);

  /// The slowest rank's max(compute, received, sent).
  double step_seconds() const;
  /// All pieces, component by component.
  std::vector<OwnedRange> owned() const;

 private:
  void reassign(std::vector<OwnedRange>& pieces, const Move& move);
  /// Fills `changes_` with what the moves change in what everybody sends and receives, `shared_` with those moves that change something.
  void count_changes(std::span<const Move> moves);
  /// Calls `visit(component, its moves)` for those of `shared_`.
  template <class Visit>
  void for_each_shared(const Visit& visit);

  const Problem* problem_;
  std::vector<std::vector<OwnedRange>> pieces_;
  std::vector<std::vector<std::int32_t>> takers_;  ///< by component and piece, see `TrafficCounter`
  std::vector<std::vector<std::int32_t>> components_of_;
  std::vector<std::int64_t> room_;
  std::vector<double> pairs_;
  std::vector<double> extra_;
  double mean_work_;
  RowTraffic traffic_;
  TrafficCounter counter_;

  TrafficSum changes_;
  std::vector<Move> shared_;  ///< of components that have several owners before or after, by component
  std::int64_t looked_at_ = 0;
  std::vector<OwnedRange> changed_;
  std::vector<OwnedRange> scratch_;
};

/// The dealing of rows that \p owned says, in any order; together they are all rows.
Deal deal_as(const Problem& problem, std::vector<OwnedRange> owned);

}  // namespace caesura::solver::impl
