// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "deal.hpp"

#include <algorithm>
#include <numeric>

namespace caesura::solver::impl {

Deal::Deal(const Problem& problem)
    : problem_(&problem),
      pieces_(problem.components().size()),
      takers_(problem.components().size()),
      components_of_(static_cast<std::size_t>(problem.ranks())),
      room_(static_cast<std::size_t>(problem.ranks())),
      pairs_(static_cast<std::size_t>(problem.ranks()), 0),
      extra_(static_cast<std::size_t>(problem.ranks()), 0),
      mean_work_(problem.mean_pairs()),
      traffic_(problem.ranks()),
      counter_(problem),
      changes_(problem.ranks()) {
  for (std::int32_t rank = 0; rank < problem.ranks(); ++rank)
    room_[static_cast<std::size_t>(rank)] = problem.room(rank);
}

void Deal::put(std::int32_t c, Range rows, std::int32_t rank) {
  if (rows.empty()) return;
  std::vector<OwnedRange>& pieces = pieces_[static_cast<std::size_t>(c)];
  std::vector<std::int32_t>& own = components_of_[static_cast<std::size_t>(rank)];
  room_[static_cast<std::size_t>(rank)] -= rows.size();
  pairs_[static_cast<std::size_t>(rank)] += problem_->pairs(component(c), rows);
  if (pieces.empty()) {
    pieces.push_back({rows, rank});
    own.push_back(c);
    return;
  }
  const auto place = std::lower_bound(pieces.begin(), pieces.end(), rows.begin,
                                      [](const OwnedRange& piece, std::int64_t row) { return piece.rows.begin < row; });
  const auto inserted = pieces.insert(place, {rows, rank});
  const auto behind = std::next(inserted);
  if (behind != pieces.end() && behind->rank == rank && behind->rows.begin == rows.end) {
    inserted->rows.end = behind->rows.end;
    pieces.erase(behind);
  }
  if (inserted != pieces.begin()) {
    const auto before = std::prev(inserted);
    if (before->rank == rank && before->rows.end == rows.begin) {
      before->rows.end = inserted->rows.end;
      pieces.erase(inserted);
    }
  }
  if (std::find(own.rbegin(), own.rend(), c) == own.rend()) own.push_back(c);
}

double Deal::most_work() const {
  double most = 0;
  for (std::int32_t rank = 0; rank < problem_->ranks(); ++rank) most = std::max(most, work(rank));
  return most;
}

void Deal::measure_work() {
  if (problem_->pairs_are_work()) return;
  std::fill(extra_.begin(), extra_.end(), 0.0);
  for (std::size_t c = 0; c < pieces_.size(); ++c) {
    const Component& part = problem_->components()[c];
    for (const OwnedRange& piece : pieces_[c])
      extra_[static_cast<std::size_t>(piece.rank)] += problem_->extra_work(part, piece.rows);
  }
  mean_work_ = problem_->mean_pairs() + std::accumulate(extra_.begin(), extra_.end(), 0.0) / problem_->ranks();
}

void Deal::count_traffic() {
  changes_.clear();
  for (std::size_t c = 0; c < pieces_.size(); ++c)
    counter_.add(problem_->components()[c], pieces_[c], takers_[c], changes_);
  traffic_ = RowTraffic(problem_->ranks());
  traffic_.add(changes_);
}

void Deal::reassign(std::vector<OwnedRange>& pieces, const Move& move) {
  scratch_.clear();
  const auto add = [&](Range rows, std::int32_t rank) {
    if (rows.empty()) return;
    if (!scratch_.empty() && scratch_.back().rank == rank && scratch_.back().rows.end == rows.begin) {
      scratch_.back().rows.end = rows.end;
    } else {
      scratch_.push_back({rows, rank});
    }
  };
  for (const OwnedRange& piece : pieces) {
    const Range moved = intersect(piece.rows, move.rows);
    if (moved.empty()) {
      add(piece.rows, piece.rank);
    } else {
      add({piece.rows.begin, moved.begin}, piece.rank);
      add(moved, move.to);
      add({moved.end, piece.rows.end}, piece.rank);
    }
  }
  pieces.swap(scratch_);
}

template <class Visit>
void Deal::for_each_shared(const Visit& visit) {
  for (std::size_t i = 0, next = 0; i < shared_.size(); i = next) {
    while (next < shared_.size() && shared_[next].component == shared_[i].component) ++next;
    visit(shared_[i].component, std::span<const Move>(shared_).subspan(i, next - i));
  }
}

void Deal::count_changes(std::span<const Move> moves) {
  shared_.clear();
  for (const Move& move : moves)
    // Of one owner before and after: nothing travels.
    if (move.rows != component(move.component).rows) shared_.push_back(move);
  std::sort(shared_.begin(), shared_.end(), [](const Move& a, const Move& b) {
    return a.component != b.component ? a.component < b.component : a.rows.begin < b.rows.begin;
  });
  changes_.clear();
  for_each_shared([&](std::int32_t c, std::span<const Move> own) {
    looked_at_ += static_cast<std::int64_t>(pieces(c).size()) + 1;
    if (TrafficCounter::is_plain(component(c)))
      return counter_.add_moves(component(c), pieces(c), takers_[static_cast<std::size_t>(c)], own, changes_);
    changed_.assign(pieces(c).begin(), pieces(c).end());
    for (const Move& move : own) reassign(changed_, move);
    counter_.add_general(component(c), pieces(c), -1, changes_);
    counter_.add_general(component(c), changed_, 1, changes_);
  });
}

Deal::Effect Deal::effect(std::span<const Move> moves, double limit) {
  count_changes(moves);
  Effect result;
  for (const TrafficSum::Entry& change : changes_.entries()) {
    if (change.received == 0 && change.sent == 0) continue;
    const std::size_t rank = static_cast<std::size_t>(change.rank);
    const double most = std::max(traffic_.received[rank] + change.received, traffic_.sent[rank] + change.sent);
    result.received += change.received;
    result.excess += std::max(0.0, most - limit) - std::max(0.0, traffic_.most(change.rank) - limit);
    result.most = std::max(result.most, most);
  }
  return result;
}

void Deal::apply(std::span<const Move> moves) {
  count_changes(moves);
  traffic_.add(changes_);
  for (const Move& move : moves) {
    const double pairs = problem_->pairs(component(move.component), move.rows);
    pairs_[static_cast<std::size_t>(move.from)] -= pairs;
    pairs_[static_cast<std::size_t>(move.to)] += pairs;
    room_[static_cast<std::size_t>(move.from)] += move.rows.size();
    room_[static_cast<std::size_t>(move.to)] -= move.rows.size();
  }
  changes_.clear();
  for_each_shared([&](std::int32_t c, std::span<const Move> own) {
    for (const Move& move : own) reassign(pieces_[static_cast<std::size_t>(c)], move);
    if (TrafficCounter::is_plain(component(c)))
      counter_.add(component(c), pieces(c), takers_[static_cast<std::size_t>(c)], changes_);
  });
  for (const Move& move : moves)
    if (move.rows == component(move.component).rows)
      pieces_[static_cast<std::size_t>(move.component)].front().rank = move.to;
  for (const Move& move : moves) {
    for (const std::int32_t rank : {move.from, move.to}) {
      std::vector<std::int32_t>& own = components_of_[static_cast<std::size_t>(rank)];
      const std::span<const OwnedRange> now = pieces(move.component);
      const bool owns =
          std::any_of(now.begin(), now.end(), [&](const OwnedRange& piece) { return piece.rank == rank; });
      const auto found = std::find(own.begin(), own.end(), move.component);
      if (owns && found == own.end()) own.push_back(move.component);
      if (!owns && found != own.end()) own.erase(found);
    }
  }
}

double Deal::received() const { return std::accumulate(traffic_.received.begin(), traffic_.received.end(), 0.0); }

double Deal::most_rows() const {
  double most = 0;
  for (std::int32_t rank = 0; rank < problem_->ranks(); ++rank) most = std::max(most, traffic_.most(rank));
  return most;
}

double Deal::step_seconds() const {
  return std::max(problem_->seconds_per_pair() * most_work(), problem_->seconds_per_row() * most_rows());
}

std::vector<OwnedRange> Deal::owned() const {
  std::vector<OwnedRange> result;
  for (const std::vector<OwnedRange>& pieces : pieces_) result.insert(result.end(), pieces.begin(), pieces.end());
  return result;
}

Deal deal_as(const Problem& problem, std::vector<OwnedRange> owned) {
  std::sort(owned.begin(), owned.end(),
            [](const OwnedRange& a, const OwnedRange& b) { return a.rows.begin < b.rows.begin; });
  Deal deal(problem);
  std::size_t piece = 0;
  for (std::size_t c = 0; c < problem.components().size(); ++c) {
    const Range rows = problem.components()[c].rows;
    while (owned[piece].rows.end <= rows.begin) ++piece;
    for (std::size_t i = piece; i < owned.size() && owned[i].rows.begin < rows.end; ++i)
      deal.put(static_cast<std::int32_t>(c), intersect(owned[i].rows, rows), owned[i].rank);
  }
  return deal;
}

}  // namespace caesura::solver::impl
