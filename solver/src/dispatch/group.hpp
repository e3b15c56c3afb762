// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "problem.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace caesura::solver::impl {

/// A component counted from its sparse end: row 0 sees few keys, row `size() - 1` many.
class Ascending {
 public:
  Ascending(const Problem& problem, const Component& component) : problem_(problem), component_(component) {}

  std::int64_t size() const { return component_.rows.size(); }
  Range rows(std::int64_t begin, std::int64_t end) const {
    const Range all = component_.rows;
    return component_.dense_first ? Range{all.end - end, all.end - begin} : Range{all.begin + begin, all.begin + end};
  }
  double pairs(std::int64_t begin, std::int64_t end) const { return problem_.pairs(component_, rows(begin, end)); }
  /// Pairs beyond those that as many rows of filler cost.
  double excess(std::int64_t begin, std::int64_t end, double price) const {
    return pairs(begin, end) - price * static_cast<double>(end - begin);
  }
  /// The first row from which on the rows below \p end have an excess of at most \p most. Newton's method between two bounds that
  /// close in: pairs are a quadratic function of the row, almost everywhere.
  std::int64_t begin_of(std::int64_t end, double most, double price) const {
    std::int64_t low = 0;  // too many rows, or the answer
    std::int64_t high = end;
    std::int64_t guess = end;
    while (most >= 0 && low < high) {
      const double over = excess(guess, end, price) - most;
      over <= 0 ? high = guess : low = guess + 1;
      const double density = guess > 0 ? excess(guess - 1, guess, price) : 0;
      const double step = density > 0 ? over / density : 0;
      guess = std::clamp(guess + static_cast<std::int64_t>(std::clamp(step, -0x1p60, 0x1p60)), low, high);
      // A guess at a bound says nothing new.
      if (guess == high || step == 0) guess = high - low > 8 && std::abs(step) > 8 ? high - 1 : low + (high - low) / 2;
    }
    return most < 0 ? end : low;
  }

 private:
  const Problem& problem_;
  const Component& component_;
};

/// How a long component is dealt to several ranks: rank i gets the strip `[strips[i + 1], strips[i])` of its dense part and the
/// slice `[heads[i], heads[i + 1])` of its sparse part, which costs it no traffic: it needs those keys anyway.
struct GroupShape {
  std::vector<std::int64_t> strips;  ///< from the size of the component down to `heads.back()`
  std::vector<std::int64_t> heads;   ///< from 0 up
  double received = 0;               ///< rows, all ranks together
  double most_sent = 0;              ///< by one rank
  double uneven = 0;                 ///< excess of the rank that has most, relative to equal shares, less 1
};

struct GroupRule {
  std::vector<std::int64_t> tokens;  ///< by rank: that it may own
  std::vector<double> loads;         ///< by rank: excess of what it has already
  double price = 0;                  ///< mean pairs of a row of the material that fills a rank up
  double send_limit = 0;             ///< rows that a rank may send without being what limits the step
};

/// Equal excess for each of \p ranks, with what they have already. As few rows of the sparse end as possible are dealt as slices, to the
/// last ranks first: a slice takes up excess, which pushes the strips of all later ranks down the component, where more ranks need
/// what they have. Without slices, the owners of rows that every strip needs would send most.
GroupShape shape_group(const Ascending& component, bool prefix, std::int32_t ranks, const GroupRule& rule);

}  // namespace caesura::solver::impl
