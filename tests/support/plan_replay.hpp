// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/error.hpp>
#include <support/pairs.hpp>
#include <support/plan_checker.hpp>
#include <support/row_marks.hpp>

#include <algorithm>
#include <type_traits>

/// The plan checker's picture of what moves: who has which rows when.
namespace caesura::testing {

using solver::ExchangeKind;
using solver::OwnedRange;
using solver::Payload;
using solver::Transfer;

class Log {
 public:
  template <class... Parts>
  void operator()(const Parts&... parts) {
    if (lines_.size() < 20) lines_.push_back(text(parts...));
  }
  bool empty() const { return lines_.empty(); }
  Violations take() { return std::move(lines_); }

 private:
  Violations lines_;
};

inline const char* name_of(Payload payload) {
  return payload == Payload::keys ? "keys" : payload == Payload::queries ? "queries" : "outputs";
}

inline std::string name_of(Range range) { return text("[", range.begin, ", ", range.end, ")"); }

/// The owned ranges that meet \p rows, cut there.
inline std::vector<OwnedRange> owners_of(std::span<const OwnedRange> owned, Range rows) {
  std::vector<OwnedRange> result;
  auto piece = std::partition_point(owned.begin(), owned.end(),
                                    [&](const OwnedRange& candidate) { return candidate.rows.end <= rows.begin; });
  for (; piece != owned.end() && piece->rows.begin < rows.end; ++piece) {
    result.push_back({intersect(piece->rows, rows), piece->rank});
  }
  return result;
}

/// What came to one rank with one stage.
struct Arrived {
  std::vector<Range> keys;
  std::vector<Range> queries;
};

/// Plays the transfers with the sets of rows that each rank has.
template <class Rows>
class Replay {
 public:
  Replay(const ExchangeParts& parts, Log& log)
      : parts_(parts), kind_(parts.exchange.kind()), log_(log), entered_(nodes(), Rows(parts.mask.total_k())) {
    const Rows no_keys(parts.mask.total_k()), no_queries(parts.mask.total_q());
    const auto ranks = static_cast<std::size_t>(parts.placement.ranks());
    ranks_.assign(ranks, {no_keys, no_keys, no_keys, no_keys, no_keys, no_queries, no_queries, no_queries, no_queries,
                          no_queries, no_queries});
    for (const OwnedRange& piece : parts.placement.keys()) {
      of(piece.rank).own_keys.add(piece.rows);
      of(piece.rank).keys.add(piece.rows);
    }
    for (const OwnedRange& piece : parts.placement.queries()) {
      of(piece.rank).own_queries.add(piece.rows);
      of(piece.rank).queries.add(piece.rows);
    }
    find_needs();
    arrived_.resize(parts.exchange.stages().size() + 1, std::vector<Arrived>(ranks));
    for (std::size_t i = 0; i < parts.exchange.stages().size(); ++i) play(i);
    finish();
  }

  /// The pairs of each step, as row ranges: own queries on `keys`, and `queries` on own keys.
  const Arrived& arrived(std::int32_t step, std::int32_t rank) const {
    return arrived_[static_cast<std::size_t>(step)][static_cast<std::size_t>(rank)];
  }
  const Rows& own_keys(std::int32_t rank) const { return ranks_[static_cast<std::size_t>(rank)].own_keys; }
  const Rows& own_queries(std::int32_t rank) const { return ranks_[static_cast<std::size_t>(rank)].own_queries; }
  const Rows& received_keys(std::int32_t rank) const { return ranks_[static_cast<std::size_t>(rank)].received_keys; }

 private:
  struct RankRows {
    Rows own_keys, keys, received_keys, needed_keys, relayed_keys;
    Rows own_queries, queries, received_queries, needed_queries, ready_outputs, sent_outputs;
  };

  std::size_t nodes() const { return static_cast<std::size_t>(parts_.cluster.nodes()); }
  RankRows& of(std::int32_t rank) { return ranks_[static_cast<std::size_t>(rank)]; }

  /// A rank needs the keys that its queries see, and may ask for the queries that see its keys.
  void find_needs() {
    const std::span<const OwnedRange> queries = parts_.placement.queries(), keys = parts_.placement.keys();
    for (const BandSlice& slice : parts_.mask.slices()) {
      for (const OwnedRange& piece : owners_of(queries, slice.q())) {
        add_partners(of(piece.rank).needed_keys, slice, piece.rows);
      }
      if (kind_ != ExchangeKind::qo) continue;
      const BandSlice exchanged = {slice.k_begin, slice.k_end,        slice.q_begin,
                                   slice.q_end,   -slice.diagonal_hi, -slice.diagonal_lo};
      for (const OwnedRange& piece : owners_of(keys, slice.k())) {
        add_partners(of(piece.rank).needed_queries, exchanged, piece.rows);
      }
    }
  }

  /// Adds the keys that \p queries of \p slice see.
  static void add_partners(Rows& set, const BandSlice& slice, Range queries) {
    if constexpr (std::is_same_v<Rows, RowFlags>) {
      for (std::int64_t k = slice.k_begin; k < slice.k_end; ++k) {
        std::int64_t q = queries.begin;
        while (q < queries.end && !in_slice(slice, q, k)) ++q;
        if (q < queries.end) set.add({k, k + 1});
      }
    } else {
      // In a band the keys of consecutive rows are consecutive: only the first and the last row that see any matter.
      const Range seeing = intersect(queries, {slice.k_begin - slice.diagonal_hi, slice.k_end - slice.diagonal_lo});
      if (seeing.empty()) return;
      set.add(intersect(slice.k(), {seeing.begin + slice.diagonal_lo, seeing.end + slice.diagonal_hi}));
    }
  }

  void play(std::size_t stage) {
    const auto& hops = parts_.exchange.stages()[stage];
    std::vector<Arrived>& arrived = arrived_[stage + 1];
    for (std::size_t h = 0; h < hops.size(); ++h) {
      const auto each = [&](const auto& act) {
        for (const Transfer& transfer : hops[h]) {
          for (const Range range : parts_.exchange.ranges(transfer)) {
            act(transfer, range, [&](const auto&... parts) {
              log_("stage ", stage, " hop ", h, ": ", name_of(transfer.payload), " ", name_of(range), " from rank ",
                   transfer.source, " to rank ", transfer.target, ": ", parts...);
            });
          }
        }
      };
      // Transfers of one hop run at once: all sources are looked at before anything arrives.
      each([&](const Transfer& t, Range range, const auto& complain) { check_source(t, range, complain); });
      each([&](const Transfer& t, Range range, const auto& complain) {
        check_target(t, range, complain);
        Arrived& here = arrived[static_cast<std::size_t>(t.target)];
        if (t.payload == Payload::keys) here.keys.push_back(range);
        if (t.payload == Payload::queries) here.queries.push_back(range);
      });
    }
    // The step that uses what this stage brought runs before the next stage ends.
    for (std::size_t rank = 0; rank < ranks_.size(); ++rank) {
      for (const Range range : arrived[rank].queries) ranks_[rank].ready_outputs.add(range);
    }
  }

  template <class Complain>
  void check_source(const Transfer& t, Range range, const Complain& complain) {
    RankRows& source = of(t.source);
    if (t.payload == Payload::outputs) {
      if (!all(source.ready_outputs, range)) complain("the source has not computed them yet");
      if (any(source.sent_outputs, range)) complain("the source sends them a second time");
      for (const OwnedRange& piece : owners_of(parts_.placement.queries(), range)) {
        if (piece.rank != t.target) complain("rows ", name_of(piece.rows), " belong to rank ", piece.rank);
      }
      source.sent_outputs.add(range);
      return;
    }
    const bool keys = t.payload == Payload::keys;
    if (!all(keys ? source.keys : source.queries, range)) complain("the source does not hold all of them");
    if (kind_ == ExchangeKind::zero_redundancy && !all(source.own_keys, range)) complain("the source is not the owner");
    if (kind_ == ExchangeKind::ring) {
      const std::int32_t ranks = parts_.placement.ranks();
      if (direction_ == 0) direction_ = t.target == (t.source + 1) % ranks ? 1 : ranks - 1;
      if (t.target != (t.source + direction_) % ranks) complain("not the next one in the ring");
    }
    if (kind_ == ExchangeKind::hierarchical) {
      const std::int32_t node = parts_.cluster.node_of(t.target);
      if (parts_.cluster.node_of(t.source) == node) {
        source.relayed_keys.add(range);
      } else {
        Rows& entered = entered_[static_cast<std::size_t>(node)];
        if (any(entered, range)) complain("entered node ", node, " before");
        entered.add(range);
        for (const OwnedRange& piece : owners_of(parts_.placement.keys(), range)) {
          if (parts_.cluster.node_of(piece.rank) == node)
            complain("rows ", name_of(piece.rows), " are at home in that node");
        }
      }
    }
  }

  template <class Complain>
  void check_target(const Transfer& t, Range range, const Complain& complain) {
    RankRows& target = of(t.target);
    if (t.payload == Payload::outputs) return;
    const bool keys = t.payload == Payload::keys;
    if (any(keys ? target.keys : target.queries, range)) complain("the target has some of them already");
    (keys ? target.keys : target.queries).add(range);
    (keys ? target.received_keys : target.received_queries).add(range);
    // A ring and an all-gather bring everything; in a hierarchy what a rank does not need it must pass on.
    const bool everything = kind_ == ExchangeKind::all_gather || kind_ == ExchangeKind::ring;
    if (everything || kind_ == ExchangeKind::hierarchical) return;
    for (const Range useless : (keys ? target.needed_keys : target.needed_queries).missing(range)) {
      complain("the target does not need ", name_of(useless));
    }
  }

  void finish() {
    for (std::int32_t rank = 0; rank < parts_.placement.ranks(); ++rank) {
      RankRows& rows = of(rank);
      for (const Range late : absent(rows.ready_outputs, rows.sent_outputs)) {
        log_("rank ", rank, " never sends the outputs ", name_of(late), " home");
      }
      if (kind_ == ExchangeKind::all_gather || kind_ == ExchangeKind::ring) {
        for (const Range hole : rows.keys.missing({0, parts_.mask.total_k()})) {
          log_("rank ", rank, " never receives the keys ", name_of(hole));
        }
      }
      if (kind_ == ExchangeKind::hierarchical) {
        for (const Range range : rows.received_keys.ranges()) {
          for (const Range useless : rows.needed_keys.missing(range)) {
            for (const Range kept : rows.relayed_keys.missing(useless)) {
              log_("rank ", rank, " receives the keys ", name_of(kept), ", neither needs them nor passes them on");
            }
          }
        }
      }
    }
    const auto stages = static_cast<std::int32_t>(parts_.exchange.stages().size());
    if (kind_ == ExchangeKind::ring && stages != parts_.placement.ranks() - 1) {
      log_("a ring of ", parts_.placement.ranks(), " ranks has ", stages, " stages");
    }
  }

  /// Rows of \p a that \p b lacks.
  static std::vector<Range> absent(const Rows& a, const Rows& b) {
    std::vector<Range> result;
    for (const Range range : a.ranges()) {
      for (const Range hole : b.missing(range)) result.push_back(hole);
    }
    return result;
  }

  const ExchangeParts& parts_;
  ExchangeKind kind_;
  Log& log_;
  std::vector<RankRows> ranks_;
  std::vector<Rows> entered_;  ///< keys that came into a node
  std::vector<std::vector<Arrived>> arrived_;
  std::int32_t direction_ = 0;  ///< the ring's, found from its first transfer
};

/// Rows of queries and keys that meet in a step: all pairs of one with the other.
struct Block {
  std::vector<Range> queries;
  std::vector<Range> keys;
};

template <class Rows>
std::vector<Block> blocks_of(const Replay<Rows>& replay, std::int32_t rank, std::int32_t step) {
  const std::vector<Range> queries = replay.own_queries(rank).ranges(), keys = replay.own_keys(rank).ranges();
  if (step == 0) return {{queries, keys}};
  const Arrived& arrived = replay.arrived(step, rank);
  return {{queries, arrived.keys}, {arrived.queries, keys}};
}

}  // namespace caesura::testing
