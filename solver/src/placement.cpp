// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/placement.hpp>

#include <algorithm>

namespace caesura::solver {

namespace {

/// Sorted, checked and merged. \p what is "token", "query" or "key".
std::vector<OwnedRange> normalized(std::int32_t ranks, std::int64_t total, std::vector<OwnedRange> owned,
                                   const char* what) {
  require(ranks > 0, [&] { return text("Placement: ranks = ", ranks, ": must be at least 1"); });
  std::erase_if(owned, [](const OwnedRange& piece) { return piece.rows.empty(); });
  std::sort(owned.begin(), owned.end(),
            [](const OwnedRange& a, const OwnedRange& b) { return a.rows.begin < b.rows.begin; });
  std::vector<OwnedRange> result;
  std::int64_t next = 0;
  for (const OwnedRange& piece : owned) {
    require(piece.rank >= 0 && piece.rank < ranks, [&] {
      return text("Placement: owner of ", what, " ", piece.rows.begin, " = ", piece.rank,
                  ": must be below ranks = ", ranks);
    });
    require(piece.rows.begin >= next,
            [&] { return text("Placement: ", what, " ", piece.rows.begin, ": has two owners, must have one"); });
    require(piece.rows.begin == next && piece.rows.end <= total, [&] {
      return piece.rows.begin == next ? text("Placement: ", what, " ", piece.rows.end - 1, ": must be below ", total)
                                      : text("Placement: ", what, " ", next, ": has no owner, must have one");
    });
    next = piece.rows.end;
    if (!result.empty() && result.back().rank == piece.rank) {
      result.back().rows.end = next;
    } else {
      result.push_back(piece);
    }
  }
  require(next == total, [&] { return text("Placement: ", what, " ", next, ": has no owner, must have one"); });
  return result;
}

RangeSet owned_by(std::span<const OwnedRange> owned, std::int32_t rank) {
  RangeSet result;
  for (const OwnedRange& piece : owned) {
    if (piece.rank == rank) result.append(piece.rows);
  }
  return result;
}

}  // namespace

Placement Placement::together(std::int32_t ranks, std::int64_t total, std::vector<OwnedRange> tokens) {
  Placement result;
  result.ranks_ = ranks;
  result.queries_ = normalized(ranks, total, std::move(tokens), "token");
  return result;
}

Placement Placement::apart(std::int32_t ranks, std::int64_t total_q, std::vector<OwnedRange> queries,
                           std::int64_t total_k, std::vector<OwnedRange> keys) {
  Placement result;
  result.ranks_ = ranks;
  result.together_ = false;
  result.queries_ = normalized(ranks, total_q, std::move(queries), "query");
  result.keys_ = normalized(ranks, total_k, std::move(keys), "key");
  return result;
}

RangeSet Placement::queries_of(std::int32_t rank) const { return owned_by(queries(), rank); }
RangeSet Placement::keys_of(std::int32_t rank) const { return owned_by(keys(), rank); }

std::vector<std::vector<BandSlice>> slices_by_rank(const Mask& mask, const Placement& placement) {
  std::vector<std::vector<BandSlice>> result(static_cast<std::size_t>(placement.ranks()));
  const std::span<const OwnedRange> owned = placement.queries();
  // Slices come by first query: the first owner that one meets is never before that of the slice ahead of it.
  std::size_t first = 0;
  for (const BandSlice& slice : mask.slices()) {
    while (first < owned.size() && owned[first].rows.end <= slice.q_begin) ++first;
    for (std::size_t i = first; i < owned.size() && owned[i].rows.begin < slice.q_end; ++i) {
      const BandSlice part = slice.restricted(owned[i].rows, slice.k()).tight();
      if (!part.q().empty()) result[static_cast<std::size_t>(owned[i].rank)].push_back(part);
    }
  }
  return result;
}

std::vector<BandSlice> restricted(std::span<const BandSlice> slices, const RangeSet& queries, const RangeSet& keys) {
  const auto first_behind = [](const RangeSet& set, std::int64_t row) {
    return std::upper_bound(set.begin(), set.end(), row,
                            [](std::int64_t value, Range range) { return value < range.end; });
  };
  std::vector<BandSlice> result;
  for (const BandSlice& slice : slices) {
    for (auto q = first_behind(queries, slice.q_begin); q != queries.end() && q->begin < slice.q_end; ++q) {
      const BandSlice rows = slice.restricted(*q, slice.k()).tight();
      if (rows.q().empty()) continue;
      for (auto k = first_behind(keys, rows.k_begin); k != keys.end() && k->begin < rows.k_end; ++k) {
        const BandSlice part = rows.restricted(rows.q(), *k).tight();
        if (!part.q().empty()) result.push_back(part);
      }
    }
  }
  return result;
}

RangeSet keys_seen(std::span<const BandSlice> slices) {
  std::vector<Range> ranges;
  ranges.reserve(slices.size());
  for (const BandSlice& slice : slices) {
    const BandSlice tight = slice.tight();
    if (!tight.q().empty()) ranges.push_back(tight.k());
  }
  return RangeSet(std::move(ranges));
}

}  // namespace caesura::solver
