// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "received_bound.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace caesura::solver::impl {

namespace {

/// The excess of a row is its pairs beyond `filler`, the price of a row in pairs; a rank holds `capacity` of it. Parts of components are
/// charged by their excess, in rows, such that the parts of one rank come to at most `rank()` together.
struct Prices {
  double filler;
  double rows;      ///< a pair of excess
  double capacity;  ///< of a rank
  double half;      ///< at most half of that, up to which a part is free: two larger ones hardly share a rank

  double step() const { return capacity - 2 * half; }
  double rank() const { return rows * step(); }
  double charge(double excess) const {
    if (excess < 0) return rows * excess;
    return rows * (std::clamp(excess - half, 0.0, step()) + std::max(0.0, excess - capacity));
  }
};

/// Where the excess of a plain causal document lies.
class CausalExcess {
 public:
  CausalExcess(double size, double filler) : linear_(2 * filler - 1), all_(0.5 * size * (size + 1) - filler * size) {
    const double light = std::min(std::floor(filler), size);
    heavy_ = all_ + light * filler - 0.5 * light * (light + 1);
  }
  double all() const { return all_; }
  /// The last row of the next rank, counted from 1, if those before it have \p excess, all rows behind that one and, at best, all
  /// that are lighter than filler.
  double last(double excess) const {
    return 0.5 * (linear_ + std::sqrt(std::max(0.0, linear_ * linear_ + 8 * (all_ - excess - (heavy_ - all_)))));
  }

 private:
  double linear_;
  double all_;
  double heavy_;  ///< of the rows that are not lighter than filler
};

/// The least that the parts of one plain causal document receive and are charged. Between the corners of the charge that is a concave
/// function of the parts' excess: all but one of them are at a corner, at `capacity` or at `half`, the largest first.
double causal_rows(double size, const Prices& prices) {
  const CausalExcess document(size, prices.filler);
  const double all = document.all();
  double least = prices.charge(all);
  if (all <= prices.half) return least;
  const double full = prices.capacity;
  const double half = prices.half;
  const bool has_halves = prices.step() > 0;
  double behind_fulls = 0;  // rows that those behind full parts receive, if these come first
  for (int fulls = 0; all - fulls * full > 0; ++fulls) {
    const double paid = fulls * prices.rank();
    if (paid >= least) break;
    if (fulls > 0) behind_fulls += document.last(fulls * full);
    const double open = all - fulls * full;
    // One part that has more than a rank may is charged for that at least.
    const double most_odd = full + (least - paid) / prices.rows;
    int halves = has_halves && open > most_odd ? static_cast<int>((open - most_odd) / half) : 0;
    double behind_halves = 0;
    for (int i = 1; i <= halves; ++i) behind_halves += document.last(all - i * half);
    for (;; ++halves) {
      const double odd = open - halves * half;
      if (odd <= 0) break;
      double sum = paid + prices.charge(odd);
      if (odd > full) {
        sum += behind_halves;
        for (int i = 0; i < fulls && sum < least; ++i) sum += document.last(odd + i * full);
      } else if (odd >= half) {
        sum += behind_fulls + behind_halves;
      } else {
        sum += behind_fulls;
        for (int i = 1; i <= halves && sum < least; ++i) sum += document.last(fulls * full + i * half);
      }
      least = std::min(least, sum);
      if (!has_halves) break;
      behind_halves += document.last(all - (halves + 1) * half);
    }
  }
  return least;
}

/// Every row sees every key of a component of \p size: all of its ranks need all of it.
double full_rows(double size, const Prices& prices) {
  const double all = size * (size - prices.filler);
  double least = prices.charge(all);
  for (int fulls = 0; fulls * size < least && all - fulls * prices.capacity > 0; ++fulls) {
    for (int halves = 0; (fulls + halves) * size < least; ++halves) {
      const double odd = all - fulls * prices.capacity - halves * prices.half;
      if (odd <= 0) break;
      least = std::min(least, (fulls + halves) * size + fulls * prices.rank() + prices.charge(odd));
    }
  }
  return least;
}

double unpriced_causal_rows(double size, const Shares& shares) {
  double sum = 0;
  for (double i = 1;; ++i) {
    const double square = size * (size + 1) - 2 * i * shares.most_pairs;
    const double last =
        std::max(square <= 0 ? 0 : 0.5 * (std::sqrt(1 + 4 * square) - 1), size - i * shares.most_tokens);
    if (last < 1) return sum;
    sum += last;
  }
}

double unpriced_full_rows(double size, const Shares& shares) {
  const double fewest =
      std::max({1.0, std::ceil(size * size / shares.most_pairs - 1e-9), std::ceil(size / shares.most_tokens - 1e-9)});
  return (fewest - 1) * size;
}

template <class RowsOf>
double sum_of(const std::vector<double>& sizes, const RowsOf& rows_of) {
  double rows = 0;
  for (std::size_t i = 0, next = 0; i < sizes.size(); i = next) {
    while (next < sizes.size() && sizes[next] == sizes[i]) ++next;
    rows += static_cast<double>(next - i) * rows_of(sizes[i]);
  }
  return rows;
}

double priced_rows(const Documents& documents, const Shares& shares, const Prices& prices) {
  const double unused = documents.other_rows + shares.ranks * (shares.most_tokens - shares.tokens);
  return sum_of(documents.causal, [&](double size) { return causal_rows(size, prices); }) +
         sum_of(documents.full, [&](double size) { return full_rows(size, prices); }) -
         prices.rows * prices.filler * unused - shares.ranks * prices.rank();
}

}  // namespace

double unpriced_rows(const Documents& documents, const Shares& shares) {
  return sum_of(documents.causal, [&](double size) { return unpriced_causal_rows(size, shares); }) +
         sum_of(documents.full, [&](double size) { return unpriced_full_rows(size, shares); });
}

double received_rows(const Documents& documents, const Shares& shares) {
  using Point = std::array<double, 3>;  // price of filler to mean pairs a row, rows x filler, half to capacity
  const Point least = {1.0 / 64, 1.0 / 64, 0.15};
  const Point most = {63.0 / 64, 1, 0.5};
  const auto rows_at = [&](const Point& point) {
    const double filler = shares.most_pairs / shares.tokens * point[0];
    const double capacity = shares.most_pairs * (1 - point[0]);
    return priced_rows(documents, shares, {filler, point[1] / filler, capacity, point[2] * capacity});
  };
  double best = -HUGE_VAL;
  Point at = {};
  const auto offer = [&](const Point& point) {
    const double rows = rows_at(point);
    if (rows > best) best = rows, at = point;
  };
  for (int i = 1; i < 12; ++i)
    for (const double rows : {0.1, 0.3, 0.6, 1.0})
      for (const double half : {0.5, 0.4, 0.25})
        if (half == 0.5 || shares.ranks <= 32) offer({i / 16.0, rows, half});
  // From there uphill along one of them at a time, by smaller and smaller steps.
  Point step = {1.0 / 32, 0.2, 0.1};
  for (int round = 0; round < 4; ++round) {
    for (std::size_t which : {2, 1, 0}) {
      const Point center = at;
      for (const double sign : {-1.0, 1.0}) {
        Point point = center;
        point[which] = std::clamp(point[which] + sign * step[which], least[which], most[which]);
        if (point != center) offer(point);
      }
    }
    for (double& length : step) length /= 2;
  }
  // Rows are whole ones, sums are rounded.
  return std::ceil(std::max(best, unpriced_rows(documents, shares)) * (1 - 1e-9) - 1e-6);
}

}  // namespace caesura::solver::impl
