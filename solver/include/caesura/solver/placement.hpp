// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/mask.hpp>
#include <caesura/solver/range_set.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver {

/// Consecutive rows of one rank.
struct OwnedRange {
  Range rows;
  std::int32_t rank = 0;
  friend constexpr bool operator==(const OwnedRange&, const OwnedRange&) = default;
};

/// Which rank owns each query row and each key row: every row has exactly one owner. On its owner, rows lie in their
/// global order.
///
/// In self attention (as many keys as queries) key i lives where query i does.
class Placement {
 public:
  /// Queries and keys of a token live together. \p tokens in any order; together they are exactly `[0, total)`.
  /// \throws Error that names the first row without or with two owners, or a rank out of range.
  static Placement together(std::int32_t ranks, std::int64_t total, std::vector<OwnedRange> tokens);
  /// Queries and keys apart: cross attention.
  static Placement apart(std::int32_t ranks, std::int64_t total_q, std::vector<OwnedRange> queries,
                         std::int64_t total_k, std::vector<OwnedRange> keys);

  std::int32_t ranks() const { return ranks_; }
  std::int64_t total_q() const { return queries_.empty() ? 0 : queries_.back().rows.end; }
  std::int64_t total_k() const { return keys().empty() ? 0 : keys().back().rows.end; }
  bool together() const { return together_; }

  /// By first row; neighbors that touch have different ranks.
  std::span<const OwnedRange> queries() const { return queries_; }
  std::span<const OwnedRange> keys() const { return together_ ? queries_ : keys_; }
  RangeSet queries_of(std::int32_t rank) const;
  RangeSet keys_of(std::int32_t rank) const;

  friend bool operator==(const Placement&, const Placement&) = default;

 private:
  std::int32_t ranks_ = 0;
  bool together_ = true;
  std::vector<OwnedRange> queries_;
  std::vector<OwnedRange> keys_;
};

/// What each rank's own queries see: the mask's slices cut at the owners' borders, tight, by rank. O(slices + owned ranges).
std::vector<std::vector<BandSlice>> slices_by_rank(const Mask& mask, const Placement& placement);

/// \p slices cut to the pairs of \p queries and \p keys; empty parts left out.
std::vector<BandSlice> restricted(std::span<const BandSlice> slices, const RangeSet& queries, const RangeSet& keys);

/// All keys that the slices see, their rows taken together: the union of their tight key ranges.
RangeSet keys_seen(std::span<const BandSlice> slices);

}  // namespace caesura::solver
