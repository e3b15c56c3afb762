// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/draft.hpp"

#include <algorithm>
#include <bit>
#include <compare>
#include <tuple>

namespace caesura::solver::impl {

namespace {

/// A gateway takes no fewer rows than this of what it could share: messages cost too.
constexpr std::int64_t least_share = 128;

struct Piece {
  std::int32_t target;
  std::int32_t source;
  Range rows;
};

/// As transfers, by target, then source, with ranges that touch merged.
void append_transfers(std::vector<Piece>& pieces, Hop& hop, std::vector<Range>& ranges) {
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return std::tie(a.target, a.source, a.rows.begin) < std::tie(b.target, b.source, b.rows.begin);
  });
  for (std::size_t i = 0; i < pieces.size();) {
    Transfer transfer = {
        .source = pieces[i].source, .target = pieces[i].target, .first = static_cast<std::int64_t>(ranges.size())};
    for (; i < pieces.size() && pieces[i].target == transfer.target && pieces[i].source == transfer.source; ++i) {
      transfer.rows += pieces[i].rows.size();
      if (transfer.first < static_cast<std::int64_t>(ranges.size()) && ranges.back().end == pieces[i].rows.begin) {
        ranges.back().end = pieces[i].rows.end;
      } else {
        ranges.push_back(pieces[i].rows);
      }
    }
    transfer.count = static_cast<std::int64_t>(ranges.size()) - transfer.first;
    hop.push_back(transfer);
  }
  pieces.clear();
}

/// Chooses through which of its ranks rows enter a node.
class Gate {
 public:
  Gate(std::int32_t first_rank, std::int32_t ranks)
      : first_rank_(first_rank),
        words_((static_cast<std::size_t>(ranks) + 63) / 64),
        received_(static_cast<std::size_t>(ranks)) {}

  void need(std::int32_t target, std::int32_t source, Range rows) {
    events_.push_back({rows.begin, target - first_rank_, source, true});
    events_.push_back({rows.end, target - first_rank_, source, false});
  }

  /// The rows' ways into the node, and on inside it.
  void deal(std::vector<Piece>& into, std::vector<Piece>& on) {
    find_segments();
    // Rows that fewer ranks need leave less choice: they come first. Rows that the same ranks need are dealt together.
    std::sort(segments_.begin(), segments_.end(), [this](const Segment& a, const Segment& b) {
      if (a.members != b.members) return a.members < b.members;
      const auto order = std::lexicographical_compare_three_way(set_of(a).begin(), set_of(a).end(), set_of(b).begin(),
                                                                set_of(b).end());
      return std::is_eq(order) ? a.rows.begin < b.rows.begin : std::is_lt(order);
    });
    for (std::size_t begin = 0, end = 0; begin < segments_.size(); begin = end) {
      while (end < segments_.size() && std::ranges::equal(set_of(segments_[end]), set_of(segments_[begin]))) ++end;
      deal_group(std::span(segments_).subspan(begin, end - begin), into, on);
    }
  }

 private:
  struct Event {
    std::int64_t row;
    std::int32_t member;
    std::int32_t source;
    bool begins;
  };
  /// Rows of one owner that the same members of the node need.
  struct Segment {
    Range rows;
    std::int32_t source;
    std::int32_t members;
    std::size_t set;  // the first of its words
  };
  struct Share {
    std::int32_t member;
    std::int64_t rows;
  };

  std::span<const std::uint64_t> set_of(const Segment& segment) const {
    return std::span(sets_).subspan(segment.set, words_);
  }

  /// A sweep over the rows that keeps the set of those that need them.
  void find_segments() {
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) { return a.row < b.row; });
    std::vector<std::uint64_t> needing(words_);
    std::int32_t members = 0;
    std::int32_t source = 0;
    for (std::size_t i = 0; i < events_.size();) {
      const std::int64_t row = events_[i].row;
      for (; i < events_.size() && events_[i].row == row; ++i) {
        const Event& event = events_[i];
        // Toggled: one member's rows may end where its next ones begin.
        const std::uint64_t bit = std::uint64_t{1} << event.member % 64;
        needing[static_cast<std::size_t>(event.member) / 64] ^= bit;
        members += event.begins ? 1 : -1;
        if (event.begins) source = event.source;
      }
      if (members == 0) continue;
      segments_.push_back({{row, events_[i].row}, source, members, sets_.size()});
      sets_.insert(sets_.end(), needing.begin(), needing.end());
    }
  }

  /// Levels what the members have received so far: \p rows are shared among the lowest of them.
  void find_shares(std::int64_t rows) {
    std::sort(shares_.begin(), shares_.end(), [this](const Share& a, const Share& b) {
      return std::pair(received(a.member), a.member) < std::pair(received(b.member), b.member);
    });
    shares_.resize(static_cast<std::size_t>(
        std::clamp<std::int64_t>(rows / least_share, 1, static_cast<std::int64_t>(shares_.size()))));
    // The level that `count` of them reach together; members that are higher already get nothing.
    std::int64_t below = 0;
    std::size_t count = 0;
    while (count < shares_.size()) {
      const auto n = static_cast<std::int64_t>(count);
      if (n > 0 && received(shares_[count].member) * n - below >= rows) break;
      below += received(shares_[count++].member);
    }
    shares_.resize(count);
    const auto n = static_cast<std::int64_t>(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t level = (rows + below + n - 1 - static_cast<std::int64_t>(i)) / n;
      shares_[i].rows = level - received(shares_[i].member);
    }
    std::sort(shares_.begin(), shares_.end(), [](const Share& a, const Share& b) { return a.member < b.member; });
  }

  void deal_group(std::span<const Segment> segments, std::vector<Piece>& into, std::vector<Piece>& on) {
    members_.clear();
    const auto set = set_of(segments[0]);
    for (std::size_t word = 0; word < words_; ++word) {
      for (std::uint64_t bits = set[word]; bits != 0; bits &= bits - 1)
        members_.push_back(static_cast<std::int32_t>(word * 64) + std::countr_zero(bits));
    }
    std::int64_t rows = 0;
    for (const Segment& segment : segments) rows += segment.rows.size();
    shares_.clear();
    for (const std::int32_t member : members_) shares_.push_back({member, 0});
    find_shares(rows);

    // Each gateway takes consecutive rows, so from few owners.
    auto share = shares_.begin();
    for (const Segment& segment : segments) {
      for (Range rest = segment.rows; !rest.empty();) {
        while (share->rows == 0) ++share;
        const Range part = {rest.begin, std::min(rest.end, rest.begin + share->rows)};
        const std::int32_t gateway = first_rank_ + share->member;
        into.push_back({gateway, segment.source, part});
        for (const std::int32_t member : members_) {
          if (member != share->member) on.push_back({first_rank_ + member, gateway, part});
        }
        received_[static_cast<std::size_t>(share->member)] += part.size();
        share->rows -= part.size();
        rest.begin = part.end;
      }
    }
  }

  std::int64_t received(std::int32_t member) const { return received_[static_cast<std::size_t>(member)]; }

  std::int32_t first_rank_;
  std::size_t words_;  // of a set of members
  std::vector<std::int64_t> received_;
  std::vector<Event> events_;
  std::vector<Segment> segments_;
  std::vector<std::uint64_t> sets_;
  std::vector<std::int32_t> members_;
  std::vector<Share> shares_;
};

}  // namespace

Draft hierarchical(Draft direct, const Cluster& cluster) {
  if (cluster.ranks_per_node == 1 || cluster.nodes() == 1) return direct;
  Draft draft;
  std::vector<Piece> into, on;
  for (std::size_t i = 0; i < direct.first.size();) {
    const std::int32_t node = cluster.node_of(direct.first[i].target);
    const std::int32_t first_rank = node * cluster.ranks_per_node;
    Gate gate(first_rank, cluster.ranks_per_node);
    for (; i < direct.first.size() && direct.first[i].target < first_rank + cluster.ranks_per_node; ++i) {
      const Transfer& transfer = direct.first[i];
      const bool near = transfer.source >= first_rank && transfer.source < first_rank + cluster.ranks_per_node;
      for (std::int64_t at = transfer.first; at < transfer.first + transfer.count; ++at) {
        const Range rows = direct.ranges[static_cast<std::size_t>(at)];
        if (near) {
          into.push_back({transfer.target, transfer.source, rows});
        } else {
          gate.need(transfer.target, transfer.source, rows);
        }
      }
    }
    gate.deal(into, on);
    append_transfers(into, draft.first, draft.ranges);
    append_transfers(on, draft.second, draft.ranges);
  }
  return draft;
}

}  // namespace caesura::solver::impl
