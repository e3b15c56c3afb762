// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver {

/// A set of rows: sorted, disjoint, non-empty ranges that do not touch each other.
class RangeSet {
 public:
  RangeSet() = default;
  /// Any ranges: empty, overlapping, in any order.
  explicit RangeSet(std::vector<Range> ranges);

  std::span<const Range> ranges() const { return ranges_; }
  auto begin() const { return ranges_.begin(); }
  auto end() const { return ranges_.end(); }
  bool empty() const { return ranges_.empty(); }
  /// Rows in all ranges together.
  std::int64_t size() const;
  bool contains(std::int64_t row) const;

  /// Adds \p range, which begins at or behind the end of the last one. An empty range changes nothing.
  void append(Range range);

  friend RangeSet unite(const RangeSet& a, const RangeSet& b);
  friend RangeSet intersect(const RangeSet& a, const RangeSet& b);
  /// The rows of \p a that \p b lacks.
  friend RangeSet subtract(const RangeSet& a, const RangeSet& b);
  friend bool operator==(const RangeSet&, const RangeSet&) = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace caesura::solver
