// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <support/pairs.hpp>
#include <support/plan_replay.hpp>

#include <algorithm>
#include <utility>

/// The plan checker's two ways to tell that each visible pair is computed exactly once.
namespace caesura::testing {

/// Who computes each pair, and when: one number a pair.
class Ledger {
 public:
  Ledger(const ExchangeParts& parts, const Replay<RowFlags>& replay, Log& log)
      : parts_(parts), columns_(parts.mask.total_k()), log_(log) {
    entries_.assign(static_cast<std::size_t>(parts.mask.total_q() * columns_), unseen);
    for (const BandSlice& slice : parts.mask.slices()) {
      for_each_pair(slice, [&](std::int32_t& entry, std::int64_t, std::int64_t) { entry = open; });
    }
    for (std::int32_t step = 0; step < parts.exchange.steps(); ++step) {
      for (std::int32_t rank = 0; rank < parts.placement.ranks(); ++rank) {
        for (const Block& block : blocks_of(replay, rank, step)) compute(block, rank, step);
      }
    }
    expect_none(open, "is never computed");
  }

  /// \p slices must be exactly what the rule gives each rank and step.
  void compare(const StepSlices& slices) {
    for (std::int32_t step = 0; step < parts_.exchange.steps(); ++step) {
      for (std::int32_t rank = 0; rank < parts_.placement.ranks(); ++rank) {
        for (const BandSlice& slice : slices(rank, step)) {
          const auto where = [&] { return text("slices of rank ", rank, " step ", step, ": ", describe(slice)); };
          if (slice.q_begin < 0 || slice.q_end > parts_.mask.total_q() || slice.k_begin < 0 || slice.k_end > columns_) {
            log_(where(), ": outside the mask");
            continue;
          }
          bool any = false;
          for_each_pair(slice, [&](std::int32_t& entry, std::int64_t q, std::int64_t k) {
            any = true;
            if (entry != code(rank, step))
              log_(where(), ": has the pair ", q, ", ", k, ", which is not its own or was had before");
            entry = done;
          });
          if (!any) log_(where(), ": has no pair");
        }
      }
    }
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i] < 0) continue;
      log_("slices of rank ", entries_[i] % parts_.placement.ranks(), " step ", entries_[i] / parts_.placement.ranks(),
           ": lack the pair ", pair_at(i));
      return;
    }
  }

 private:
  static constexpr std::int32_t unseen = -1, open = -2, done = -3;

  std::int32_t code(std::int32_t rank, std::int32_t step) const { return step * parts_.placement.ranks() + rank; }
  std::string pair_at(std::size_t entry) const {
    const auto at = static_cast<std::int64_t>(entry);
    return text(at / columns_, ", ", at % columns_);
  }

  template <class Act>
  void for_each_pair(const BandSlice& slice, const Act& act) {
    for (std::int64_t q = slice.q_begin; q < slice.q_end; ++q) {
      for (std::int64_t k = slice.k_begin; k < slice.k_end; ++k) {
        if (in_slice(slice, q, k)) act(entries_[static_cast<std::size_t>(q * columns_ + k)], q, k);
      }
    }
  }

  void compute(const Block& block, std::int32_t rank, std::int32_t step) {
    for (const Range queries : block.queries) {
      for (std::int64_t q = queries.begin; q < queries.end; ++q) {
        for (const Range keys : block.keys) {
          for (std::int64_t k = keys.begin; k < keys.end; ++k) {
            std::int32_t& entry = entries_[static_cast<std::size_t>(q * columns_ + k)];
            if (entry == unseen) continue;
            if (entry >= 0) {
              log_("pair ", q, ", ", k, ": computed by rank ", entry % parts_.placement.ranks(), " in step ",
                   entry / parts_.placement.ranks(), " and by rank ", rank, " in step ", step);
            }
            entry = code(rank, step);
          }
        }
      }
    }
  }

  void expect_none(std::int32_t value, const char* what) {
    const auto at = std::find(entries_.begin(), entries_.end(), value);
    if (at != entries_.end()) log_("pair ", pair_at(static_cast<std::size_t>(at - entries_.begin())), ": ", what);
  }

  const ExchangeParts& parts_;
  std::int64_t columns_;
  Log& log_;
  std::vector<std::int32_t> entries_;
};

/// Visible pairs of row ranges, by areas.
class Areas {
 public:
  explicit Areas(const Mask& mask) : mask_(mask) {
    for (const BandSlice& slice : mask.slices())
      last_row_.push_back(std::max(last_row_.empty() ? 0 : last_row_.back(), slice.q_end));
  }

  std::int64_t operator()(Range queries, const std::vector<Range>& keys) const {
    std::int64_t pairs = 0;
    for_each_slice(queries, [&](const BandSlice& slice) {
      for (const Range range : keys) pairs += slice.restricted(queries, range).area();
    });
    return pairs;
  }
  std::int64_t operator()(const std::vector<Range>& queries, const std::vector<Range>& keys) const {
    std::int64_t pairs = 0;
    for (const Range range : queries) pairs += (*this)(range, keys);
    return pairs;
  }
  /// How many of the pairs of \p slice are visible.
  std::int64_t operator()(const BandSlice& slice) const {
    std::int64_t pairs = 0;
    for_each_slice(slice.q(), [&](const BandSlice& other) { pairs += intersect(slice, other).area(); });
    return pairs;
  }

 private:
  /// Slices come by first row; none before the first whose rows, or those of one before it, reach \p queries counts.
  template <class Act>
  void for_each_slice(Range queries, const Act& act) const {
    const auto slices = mask_.slices();
    const auto first = std::upper_bound(last_row_.begin(), last_row_.end(), queries.begin) - last_row_.begin();
    for (auto i = static_cast<std::size_t>(first); i < slices.size() && slices[i].q_begin < queries.end; ++i)
      act(slices[i]);
  }

  const Mask& mask_;
  std::vector<std::int64_t> last_row_;  ///< of the slices up to each
};

/// Where no row came twice, a pair can only be lost, or both its key and its query have moved.
inline void check_areas(const ExchangeParts& parts, const Replay<RowIntervals>& replay, const Areas& area, Log& log) {
  const std::span<const OwnedRange> query_owners = parts.placement.queries();
  std::vector<std::int64_t> lacking(static_cast<std::size_t>(parts.placement.ranks()), 0);
  for (const OwnedRange& piece : query_owners) {
    lacking[static_cast<std::size_t>(piece.rank)] += area(piece.rows, {{0, parts.mask.total_k()}});
  }
  for (std::int32_t rank = 0; rank < parts.placement.ranks(); ++rank) {
    const std::vector<Range> own_keys = replay.own_keys(rank).ranges();
    RowIntervals keys = replay.received_keys(rank);
    for (const Range range : own_keys) keys.add(range);
    lacking[static_cast<std::size_t>(rank)] -= area(replay.own_queries(rank).ranges(), keys.ranges());
    for (std::int32_t step = 1; step < parts.exchange.steps(); ++step) {
      for (const Range queries : replay.arrived(step, rank).queries) {
        for (const OwnedRange& piece : owners_of(query_owners, queries)) {
          lacking[static_cast<std::size_t>(piece.rank)] -= area(piece.rows, own_keys);
          std::vector<Range> twice;
          for (const Range range : replay.received_keys(piece.rank).ranges()) {
            for (const Range own : own_keys) {
              if (!intersect(own, range).empty()) twice.push_back(intersect(own, range));
            }
          }
          const std::int64_t pairs = area(piece.rows, twice);
          if (pairs > 0) {
            log(pairs, " pairs of queries ", name_of(piece.rows), ": computed by their owner ", piece.rank,
                " and by the owner of the keys ", rank);
          }
        }
      }
    }
  }
  for (std::size_t rank = 0; rank < lacking.size(); ++rank) {
    if (lacking[rank] != 0)
      log(lacking[rank], " pairs of the queries of rank ", rank, " are never computed (below 0: too often)");
  }
}

/// Inside the mask and inside what the step has, disjoint, and as many as the step has.
inline void compare_areas(const ExchangeParts& parts, const Replay<RowIntervals>& replay, const Areas& area,
                          const StepSlices& slices_of, Log& log) {
  for (std::int32_t step = 0; step < parts.exchange.steps(); ++step) {
    for (std::int32_t rank = 0; rank < parts.placement.ranks(); ++rank) {
      std::int64_t expected = 0;
      std::vector<std::pair<RowIntervals, RowIntervals>> held;
      for (const Block& block : blocks_of(replay, rank, step)) {
        held.emplace_back(RowIntervals(block.queries), RowIntervals(block.keys));
        expected += area(held.back().first.ranges(), held.back().second.ranges());
      }
      std::int64_t pairs = 0;
      const std::vector<BandSlice> slices = slices_of(rank, step);
      const std::string where = text("slices of rank ", rank, " step ", step, ": ");
      for (const BandSlice& slice : slices) {
        const std::int64_t own = slice.area();
        pairs += own;
        if (own == 0) log(where, describe(slice), ": has no pair");
        if (own != area(slice)) log(where, describe(slice), ": has pairs that are not visible");
        if (std::none_of(held.begin(), held.end(),
                         [&](const auto& rows) { return all(rows.first, slice.q()) && all(rows.second, slice.k()); })) {
          log(where, describe(slice), ": has rows that are not there");
        }
      }
      if (find_overlap(slices)) log(where, "two of them overlap");
      if (pairs != expected) log(where, "have ", pairs, " pairs, must have ", expected);
    }
  }
}

}  // namespace caesura::testing
