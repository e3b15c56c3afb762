// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "traffic.hpp"

namespace caesura::solver::impl {

namespace {

/// Rows that a rank needs of a plain component lie before this one. \p own_end tells how far it owns a piece: not at all where that is
/// the piece's begin.
template <class OwnEnd>
std::int64_t reach(const Component& component, std::span<const OwnedRange> pieces, std::int32_t rank,
                   const OwnEnd& own_end) {
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (piece->rank != rank) continue;
    if (const std::int64_t end = own_end(piece->rows); end > piece->rows.begin)
      return component.full ? component.rows.end : end;
  }
  return component.rows.begin;
}

}  // namespace

void TrafficCounter::add(const Component& component, std::span<const OwnedRange> pieces,
                         std::vector<std::int32_t>& takers, TrafficSum& sum) {
  if (component.count == 0 || (problem_->together() && pieces.size() < 2)) return takers.clear();
  is_plain(component) ? add_plain(component, pieces, takers, sum) : add_general(component, pieces, 1, sum);
}

void TrafficCounter::add_plain(const Component& component, std::span<const OwnedRange> pieces,
                               std::vector<std::int32_t>& takers, TrafficSum& sum) {
  const double weight = problem_->slices(component)[0].weight;
  takers.resize(pieces.size());
  std::int32_t met = 0;
  ++call_;
  for (std::size_t i = pieces.size(); i-- > 0;) {
    std::int64_t& seen = seen_[static_cast<std::size_t>(pieces[i].rank)];
    if (seen != call_) {
      const std::int64_t end = component.full ? component.rows.end : pieces[i].rows.end;
      sum.add(pieces[i].rank, weight * static_cast<double>(end - component.rows.begin), 0);
      ++met;
    }
    seen = call_;
    takers[i] = met;
  }
  if (component.full) std::fill(takers.begin(), takers.end(), met);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const double rows = weight * static_cast<double>(pieces[i].rows.size());
    sum.add(pieces[i].rank, -rows, rows * (takers[i] - 1));
  }
}

void TrafficCounter::add_moves(const Component& component, std::span<const OwnedRange> pieces,
                               std::span<const std::int32_t> takers, std::span<const Move> moves,
                               TrafficSum& sum) const {
  if (component.count == 0) return;
  const double weight = problem_->slices(component)[0].weight;
  const auto piece_at = [&](std::int64_t row) {
    return std::partition_point(pieces.begin(), pieces.end(), [&](const OwnedRange& p) { return p.rows.end <= row; });
  };
  // Who receives and sends the rows that change their owner, as long as nobody's reach changes.
  for (const Move& move : moves) {
    const double rows = weight * static_cast<double>(move.rows.size());
    const auto piece = static_cast<std::size_t>(piece_at(move.rows.begin) - pieces.begin());
    const double sent = takers.empty() ? 0 : rows * (takers[piece] - 1);
    sum.add(move.from, rows, -sent);
    sum.add(move.to, -rows, sent);
  }
  for (const std::int32_t rank : {moves[0].from, moves[0].to}) {
    const std::int64_t before = reach(component, pieces, rank, [](Range rows) { return rows.end; });
    const auto kept = [&](Range rows) {
      // What a rank gives away at the end of a piece may lie in several moves.
      for (std::size_t i = 0; i < moves.size(); ++i) {
        if (moves[i].from != rank || moves[i].rows.end != rows.end || moves[i].rows.begin < rows.begin) continue;
        rows.end = moves[i].rows.begin;
        if (rows.empty()) break;
        i = static_cast<std::size_t>(-1);
      }
      return rows.end;
    };
    std::int64_t after = reach(component, pieces, rank, kept);
    for (const Move& move : moves)
      if (move.to == rank) after = std::max(after, component.full ? component.rows.end : move.rows.end);
    if (after == before) continue;
    const double sign = after > before ? weight : -weight;
    const Range rows = {std::min(before, after), std::max(before, after)};
    sum.add(rank, sign * static_cast<double>(rows.size()), 0);
    // Their owners send them to one rank more or less.
    for (auto piece = piece_at(rows.begin); piece != pieces.end() && piece->rows.begin < rows.end; ++piece)
      sum.add(piece->rank, 0, sign * static_cast<double>(intersect(piece->rows, rows).size()));
    for (const Move& move : moves) {
      const double moved = sign * static_cast<double>(intersect(move.rows, rows).size());
      sum.add(move.from, 0, -moved);
      sum.add(move.to, 0, moved);
    }
  }
}

void TrafficCounter::add_general(const Component& component, std::span<const OwnedRange> pieces, double sign,
                                 TrafficSum& sum) {
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
      sum.add(rank_of(i), weight * count_needs(slices.subspan(s, next - s), pieces, i, last), 0);
    }
    if (problem_->together()) count_sends(pieces, weight, sum);
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

void TrafficCounter::count_sends(std::span<const OwnedRange> pieces, double weight, TrafficSum& sum) {
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
    sum.add(piece.rank, 0, weight * static_cast<double>(sent));
  }
}

}  // namespace caesura::solver::impl
