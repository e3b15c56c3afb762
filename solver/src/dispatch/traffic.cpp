// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "traffic.hpp"

namespace caesura::solver::impl {

void TrafficCounter::add(const Component& component, std::span<const OwnedRange> pieces, double sign,
                         RowTraffic& traffic) {
  if (component.count == 0 || (problem_->together() && pieces.size() < 2)) return;
  if (component.prefix) return add_prefix(component, pieces, sign, traffic);
  component.full ? add_full(component, pieces, sign, traffic) : add_general(component, pieces, sign, traffic);
}

/// A rank needs all rows up to the last one it owns, so each row goes to every rank whose last row lies behind it.
void TrafficCounter::add_prefix(const Component& component, std::span<const OwnedRange> pieces, double sign,
                                RowTraffic& traffic) {
  const double weight = sign * problem_->slices(component)[0].weight;
  last_.clear();
  ++call_;
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    std::int64_t& seen = seen_[static_cast<std::size_t>(piece->rank)];
    if (seen != call_) last_.emplace_back(piece->rank, piece->rows.end);
    seen = call_;
  }
  if (last_.size() < 2) return;
  for (const auto& [rank, end] : last_)
    traffic.received[static_cast<std::size_t>(rank)] += weight * static_cast<double>(end - component.rows.begin);
  // `last_` falls, pieces rise.
  std::size_t behind = last_.size();
  for (const OwnedRange& piece : pieces) {
    while (behind > 0 && last_[behind - 1].second < piece.rows.end) --behind;
    const double rows = weight * static_cast<double>(piece.rows.size());
    traffic.received[static_cast<std::size_t>(piece.rank)] -= rows;
    traffic.sent[static_cast<std::size_t>(piece.rank)] += rows * static_cast<double>(behind - 1);
  }
}

/// Every rank needs all rows.
void TrafficCounter::add_full(const Component& component, std::span<const OwnedRange> pieces, double sign,
                              RowTraffic& traffic) {
  const double weight = sign * problem_->slices(component)[0].weight;
  const double size = weight * static_cast<double>(component.rows.size());
  double ranks = 0;
  ++call_;
  for (const OwnedRange& piece : pieces) {
    std::int64_t& seen = seen_[static_cast<std::size_t>(piece.rank)];
    if (seen != call_) {
      traffic.received[static_cast<std::size_t>(piece.rank)] += size;
      ++ranks;
    }
    seen = call_;
  }
  for (const OwnedRange& piece : pieces) {
    const double rows = weight * static_cast<double>(piece.rows.size());
    traffic.received[static_cast<std::size_t>(piece.rank)] -= rows;
    traffic.sent[static_cast<std::size_t>(piece.rank)] += rows * (ranks - 1);
  }
}

void TrafficCounter::add_general(const Component& component, std::span<const OwnedRange> pieces, double sign,
                                 RowTraffic& traffic) {
  const std::span<const WeightedSlice> slices = problem_->slices(component);
  order_.resize(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i) order_[i] = static_cast<std::int32_t>(i);
  const auto rank_of = [&](std::size_t i) { return pieces[static_cast<std::size_t>(order_[i])].rank; };
  std::stable_sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) {
    return pieces[static_cast<std::size_t>(a)].rank < pieces[static_cast<std::size_t>(b)].rank;
  });
  // The keys of each mask travel by themselves.
  for (std::size_t s = 0, next = 0; s < slices.size(); s = next) {
    for (next = s; next < slices.size() && slices[next].mask == slices[s].mask;) ++next;
    const double weight = sign * slices[s].weight;
    borders_.clear();
    for (std::size_t i = 0, last = 0; i < order_.size(); i = last) {
      for (last = i; last < order_.size() && rank_of(last) == rank_of(i);) ++last;
      traffic.received[static_cast<std::size_t>(rank_of(i))] +=
          weight * count_needs(slices.subspan(s, next - s), pieces, i, last);
    }
    if (problem_->together()) count_sends(pieces, weight, traffic);
  }
}

double TrafficCounter::count_needs(std::span<const WeightedSlice> slices, std::span<const OwnedRange> pieces,
                                   std::size_t first, std::size_t last) {
  const auto rows_of = [&](std::size_t i) { return pieces[static_cast<std::size_t>(order_[i])].rows; };
  needs_.clear();
  for (std::size_t i = first; i < last; ++i) {
    for (const WeightedSlice& weighted : slices) {
      const BandSlice part = weighted.slice.restricted(rows_of(i), weighted.slice.k()).tight();
      if (!part.q().empty()) needs_.push_back(part.k());
    }
  }
  std::sort(needs_.begin(), needs_.end(), [](Range a, Range b) { return a.begin < b.begin; });
  double rows = 0;
  const auto need = [&](Range keys) {
    if (keys.empty()) return;
    rows += static_cast<double>(keys.size());
    borders_.emplace_back(keys.begin, 1);
    borders_.emplace_back(keys.end, -1);
  };
  std::size_t own = first;
  for (std::size_t n = 0; n < needs_.size();) {
    Range keys = needs_[n];
    for (++n; n < needs_.size() && needs_[n].begin <= keys.end; ++n) keys.end = std::max(keys.end, needs_[n].end);
    if (problem_->together()) {
      // What the rank owns does not travel.
      while (own < last && rows_of(own).end <= keys.begin) ++own;
      for (std::size_t o = own; o < last && rows_of(o).begin < keys.end; ++o) {
        need({keys.begin, rows_of(o).begin});
        keys.begin = rows_of(o).end;
      }
    }
    need(keys);
  }
  return rows;
}

void TrafficCounter::count_sends(std::span<const OwnedRange> pieces, double weight, RowTraffic& traffic) {
  std::sort(borders_.begin(), borders_.end());
  std::size_t border = 0;
  std::int64_t takers = 0;
  for (const OwnedRange& piece : pieces) {
    std::int64_t row = piece.rows.begin;
    std::int64_t sent = 0;
    for (; border < borders_.size() && borders_[border].first < piece.rows.end; ++border) {
      const std::int64_t to = std::max(borders_[border].first, row);
      sent += takers * (to - row);
      row = to;
      takers += borders_[border].second;
    }
    sent += takers * (piece.rows.end - row);
    traffic.sent[static_cast<std::size_t>(piece.rank)] += weight * static_cast<double>(sent);
  }
}

}  // namespace caesura::solver::impl
