// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

namespace caesura::testing {

/// A set of rows below a total, one flag each.
class RowFlags {
 public:
  explicit RowFlags(std::int64_t total) : flags_(static_cast<std::size_t>(total), false) {}

  void add(Range rows) {
    for (std::int64_t row = rows.begin; row < rows.end; ++row) flags_[static_cast<std::size_t>(row)] = true;
  }
  /// The parts of \p rows that are not in the set.
  std::vector<Range> missing(Range rows) const { return runs(rows, false); }
  std::vector<Range> ranges() const { return runs({0, static_cast<std::int64_t>(flags_.size())}, true); }

 private:
  std::vector<Range> runs(Range rows, bool value) const {
    std::vector<Range> result;
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
      if (flags_[static_cast<std::size_t>(row)] != value) continue;
      if (result.empty() || result.back().end != row) result.push_back({row, row});
      result.back().end = row + 1;
    }
    return result;
  }

  std::vector<bool> flags_;
};

/// The same as a few intervals, by their first rows; none touches the next.
class RowIntervals {
 public:
  explicit RowIntervals(std::int64_t /*total*/) {}
  explicit RowIntervals(const std::vector<Range>& ranges) {
    for (const Range range : ranges) add(range);
  }

  void add(Range rows) {
    if (rows.empty()) return;
    auto at = ends_.upper_bound(rows.begin);
    if (at != ends_.begin() && std::prev(at)->second >= rows.begin) {
      --at;
      rows.begin = at->first;
    }
    while (at != ends_.end() && at->first <= rows.end) {
      rows.end = std::max(rows.end, at->second);
      at = ends_.erase(at);
    }
    ends_.emplace_hint(at, rows.begin, rows.end);
  }
  std::vector<Range> missing(Range rows) const {
    std::vector<Range> result;
    auto at = ends_.upper_bound(rows.begin);
    if (at != ends_.begin() && std::prev(at)->second > rows.begin) rows.begin = std::prev(at)->second;
    for (; at != ends_.end() && at->first < rows.end; ++at) {
      result.push_back({rows.begin, at->first});
      rows.begin = at->second;
    }
    if (rows.begin < rows.end) result.push_back(rows);
    return result;
  }
  std::vector<Range> ranges() const {
    std::vector<Range> result;
    for (const auto& [begin, end] : ends_) result.push_back({begin, end});
    return result;
  }

 private:
  std::map<std::int64_t, std::int64_t> ends_;
};

/// All of \p rows are in the set.
template <class Rows>
bool all(const Rows& set, Range rows) {
  return set.missing(rows).empty();
}
/// Some of them are.
template <class Rows>
bool any(const Rows& set, Range rows) {
  std::int64_t lacking = 0;
  for (const Range hole : set.missing(rows)) lacking += hole.size();
  return lacking != rows.size();
}

}  // namespace caesura::testing
