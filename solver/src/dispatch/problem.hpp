// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>
#include <caesura/solver/dispatch.hpp>
#include <caesura/solver/workload.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// A slice, its mask's place in the list of masks, and how many layers have that mask.
struct WeightedSlice {
  BandSlice slice;
  std::int32_t mask;
  double weight;
};

/// Consecutive query rows whose keys no other component's rows see; in self attention no visible pair leaves their tokens:
/// a document, a chunk, or a stretch of padding.
struct Component {
  Range rows;
  double pairs = 0;        ///< weighted visible pairs
  double extra_work = 0;   ///< what tiles and rows cost beside them, if one rank has all rows
  std::int32_t first = 0;  ///< of `Problem::slices`
  std::int32_t count = 0;
  std::int32_t piece = 0;  ///< of `Problem::curve`, the first that touches the rows
  std::int32_t pieces = 0;
  bool prefix = false;       ///< row i sees exactly the component's keys 0 to i: a plain causal document
  bool full = false;         ///< every row sees every key of the component
  bool dense_first = false;  ///< rows see fewer keys from row to row, not more
};

/// What dispatchers deal with: the rows, their pairs, and who shares keys.
class Problem {
 public:
  /// \throws Error where the masks' totals differ, or nothing is visible.
  Problem(std::span<const WeightedMask> masks, const Cluster& cluster, const Options& options);

  std::span<const Component> components() const { return components_; }
  std::span<const WeightedSlice> slices(const Component& component) const {
    return std::span(slices_).subspan(static_cast<std::size_t>(component.first),
                                      static_cast<std::size_t>(component.count));
  }

  /// Weighted pairs of the component's \p rows. O(log) of the few pieces of its curve.
  double pairs(const Component& component, Range rows) const {
    if (rows == component.rows) return component.pairs;
    return rows.empty() ? 0 : below(component, rows.end) - below(component, rows.begin);
  }

  /// What tiles and rows cost beside the pairs if a rank has just these \p rows of the component.
  double extra_work(const Component& component, Range rows) const;
  /// Tiles and rows cost nothing of their own.
  bool pairs_are_work() const {
    return rates_ == ComputeRates{.forward_flops = rates_.forward_flops,
                                  .backward_flops = rates_.backward_flops,
                                  .tile = {1, 1},
                                  .step_seconds = rates_.step_seconds};
  }

  /// Sums of what the rows below see.
  double below(const Component& component, std::int64_t row) const {
    return component.pieces == 1 ? below(curve_[static_cast<std::size_t>(component.piece)], row)
                                 : below_of_several(component, row);
  }

  std::int64_t total() const { return total_; }
  bool together() const { return together_; }
  std::int32_t ranks() const { return ranks_; }
  double total_pairs() const { return total_pairs_; }
  /// Tokens that \p rank may own: equal shares within one token, or `token_slack` more.
  std::int64_t room(std::int32_t rank) const;

  double mean_pairs() const { return total_pairs_ / ranks_; }
  double tolerance() const { return tolerance_; }
  double seconds_per_pair() const { return seconds_per_pair_; }
  double seconds_per_row() const { return seconds_per_row_; }

 private:
  struct CurvePiece {
    std::int64_t begin;
    double below;
    double first;
    double slope;
  };

  double measure_extra_work(const Component& component, Range rows) const;
  static double below(const CurvePiece& piece, std::int64_t row) {
    const double rows = static_cast<double>(row - piece.begin);
    return piece.below + rows * (piece.first + 0.5 * (rows - 1) * piece.slope);
  }
  double below_of_several(const Component& component, std::int64_t row) const;

  std::int64_t total_ = 0;
  bool together_ = true;
  std::int32_t ranks_ = 1;
  std::int64_t cap_ = 0;  ///< 0: equal shares
  double total_pairs_ = 0;
  double tolerance_ = 0;
  double seconds_per_pair_ = 0;
  double seconds_per_row_ = 0;
  ComputeRates rates_;
  std::vector<Component> components_;
  std::vector<WeightedSlice> slices_;
  std::vector<CurvePiece> curve_;
};

}  // namespace caesura::solver::impl
