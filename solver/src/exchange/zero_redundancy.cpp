// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/draft.hpp"

#include <algorithm>
#include <bit>

namespace caesura::solver::impl {

namespace {

/// Owned ranges in the order of their rows, found by row.
class Owners {
 public:
  explicit Owners(std::span<const OwnedRange> owned) : owned_(owned) {
    ends_.reserve(owned.size());
    for (const OwnedRange& piece : owned) ends_.push_back(piece.rows.end);
  }
  /// The piece that holds \p row, from \p hint on: rows are asked for in rising order, mostly near the last one.
  std::size_t find(std::int64_t row, std::size_t hint) const {
    std::size_t reach = 1;
    while (hint + reach < ends_.size() && ends_[hint + reach - 1] <= row) {
      hint += reach;
      reach *= 2;
    }
    const auto begin = ends_.begin() + static_cast<std::ptrdiff_t>(hint);
    const auto end = ends_.begin() + static_cast<std::ptrdiff_t>(std::min(hint + reach, ends_.size()));
    return static_cast<std::size_t>(std::upper_bound(begin, end, row) - ends_.begin());
  }
  const OwnedRange& operator[](std::size_t i) const { return owned_[i]; }
  std::size_t size() const { return owned_.size(); }

 private:
  std::span<const OwnedRange> owned_;
  std::vector<std::int64_t> ends_;
};

}  // namespace

Draft zero_redundancy(const Demand& demand, const Placement& placement) {
  const auto ranks = static_cast<std::size_t>(placement.ranks());
  const Owners owners(placement.keys());
  Draft draft;
  // Of the rank at work: the pieces it needs, and by source how many, how many rows, and where the next range goes.
  std::vector<OwnedRange> pieces;
  std::vector<std::int64_t> count(ranks), rows(ranks), next(ranks);
  // A bit for each source: read in order, they need no sorting.
  std::vector<std::uint64_t> sources((ranks + 63) / 64);

  for (std::size_t target = 0; target < ranks; ++target) {
    pieces.clear();
    std::size_t at = 0;
    for (const Range needed : demand.needed[target]) {
      at = owners.find(needed.begin, at);
      for (std::size_t i = at; i < owners.size() && owners[i].rows.begin < needed.end; ++i) {
        const auto source = static_cast<std::size_t>(owners[i].rank);
        if (source == target) continue;
        const Range piece = intersect(owners[i].rows, needed);
        pieces.push_back({piece, owners[i].rank});
        ++count[source];
        rows[source] += piece.size();
        sources[source / 64] |= std::uint64_t{1} << source % 64;
      }
    }
    if (pieces.empty()) continue;

    auto first = static_cast<std::int64_t>(draft.ranges.size());
    for (std::size_t word = 0; word < sources.size(); ++word) {
      for (std::uint64_t bits = sources[word]; bits != 0; bits &= bits - 1) {
        const std::size_t source = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        draft.first.push_back({.source = static_cast<std::int32_t>(source),
                               .target = static_cast<std::int32_t>(target),
                               .payload = Payload::keys,
                               .first = first,
                               .count = count[source],
                               .rows = rows[source]});
        next[source] = first;
        first += count[source];
        count[source] = rows[source] = 0;
      }
      sources[word] = 0;
    }
    // Pieces come by row, so the ranges of a source do too.
    draft.ranges.resize(static_cast<std::size_t>(first));
    for (const OwnedRange& piece : pieces)
      draft.ranges[static_cast<std::size_t>(next[static_cast<std::size_t>(piece.rank)]++)] = piece.rows;
  }
  return draft;
}

}  // namespace caesura::solver::impl
