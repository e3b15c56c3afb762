// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/range_set.hpp>

#include <algorithm>

namespace caesura::solver {

RangeSet::RangeSet(std::vector<Range> ranges) {
  std::erase_if(ranges, [](Range range) { return range.empty(); });
  const auto by_begin = [](Range a, Range b) { return a.begin < b.begin; };
  if (!std::is_sorted(ranges.begin(), ranges.end(), by_begin)) std::sort(ranges.begin(), ranges.end(), by_begin);
  // Merged in place: the result never is ahead of what is read.
  std::size_t count = 0;
  for (const Range range : ranges) {
    if (count > 0 && range.begin <= ranges[count - 1].end) {
      ranges[count - 1].end = std::max(ranges[count - 1].end, range.end);
    } else {
      ranges[count++] = range;
    }
  }
  ranges.resize(count);
  ranges_ = std::move(ranges);
}

std::int64_t RangeSet::size() const {
  std::int64_t rows = 0;
  for (const Range range : ranges_) rows += range.size();
  return rows;
}

bool RangeSet::contains(std::int64_t row) const {
  const auto behind = std::upper_bound(ranges_.begin(), ranges_.end(), row,
                                       [](std::int64_t value, Range range) { return value < range.begin; });
  return behind != ranges_.begin() && std::prev(behind)->contains(row);
}

void RangeSet::append(Range range) {
  if (range.empty()) return;
  if (!ranges_.empty() && ranges_.back().end == range.begin) {
    ranges_.back().end = range.end;
  } else {
    ranges_.push_back(range);
  }
}

RangeSet unite(const RangeSet& a, const RangeSet& b) {
  std::vector<Range> both(a.ranges_.size() + b.ranges_.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), both.begin(), [](Range x, Range y) { return x.begin < y.begin; });
  return RangeSet(std::move(both));
}

RangeSet intersect(const RangeSet& a, const RangeSet& b) {
  RangeSet result;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    result.append(intersect(*x, *y));
    x->end < y->end ? ++x : ++y;
  }
  return result;
}

RangeSet subtract(const RangeSet& a, const RangeSet& b) {
  RangeSet result;
  auto y = b.begin();
  for (Range rest : a) {
    while (y != b.end() && y->end <= rest.begin) ++y;
    for (auto z = y; z != b.end() && z->begin < rest.end; ++z) {
      result.append({rest.begin, z->begin});
      rest.begin = z->end;
    }
    result.append(rest);
  }
  return result;
}

}  // namespace caesura::solver
