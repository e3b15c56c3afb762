// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/local_rows.hpp"

#include <caesura/error.hpp>

#include <algorithm>
#include <tuple>

namespace caesura::impl {

namespace {

bool by_global(const LocalPiece& a, const LocalPiece& b) { return a.global.begin < b.global.begin; }

/// Sorts, and joins pieces that lie together in both orders.
std::vector<LocalPiece> joined(std::vector<LocalPiece> pieces) {
  std::sort(pieces.begin(), pieces.end(), by_global);
  std::vector<LocalPiece> result;
  for (const LocalPiece& piece : pieces) {
    if (!result.empty() && result.back().global.end == piece.global.begin &&
        result.back().local_rows().end == piece.local) {
      result.back().global.end = piece.global.end;
    } else {
      result.push_back(piece);
    }
  }
  return result;
}

/// The first piece that ends behind \p row.
auto piece_at(std::span<const LocalPiece> pieces, std::int64_t row) {
  return std::upper_bound(pieces.begin(), pieces.end(), row,
                          [](std::int64_t r, const LocalPiece& piece) { return r < piece.global.end; });
}

/// Calls \p body with each piece's part of \p global and its local row.
template <class Body>
void for_each_part(std::span<const LocalPiece> pieces, Range global, const Body& body) {
  for (auto piece = piece_at(pieces, global.begin); piece != pieces.end() && piece->global.begin < global.end;
       ++piece) {
    const Range part = intersect(piece->global, global);
    body(LocalPiece{part, piece->local + (part.begin - piece->global.begin)});
  }
}

/// Whether \p b continues \p a, its left neighbor over the same queries, in every row: then one slice says both.
bool continues_right(const BandSlice& a, const BandSlice& b) {
  const std::int64_t border = a.k_end, first = a.q_begin, last = a.q_end - 1;
  return b.k_begin == border && first + a.diagonal_hi >= border - 1 && last + a.diagonal_lo <= border &&
         first + b.diagonal_hi >= border - 1 && last + b.diagonal_lo <= border;
}

/// Of tight slices. A diagonal that cuts nothing says nothing.
bool same_pairs(const BandSlice& a, const BandSlice& b) {
  const auto lo = [](const BandSlice& s) { return std::max(s.diagonal_lo, s.k_begin - s.q_end + 1); };
  const auto hi = [](const BandSlice& s) { return std::min(s.diagonal_hi, s.k_end - 1 - s.q_begin); };
  return a.q() == b.q() && a.k() == b.k() && lo(a) == lo(b) && hi(a) == hi(b);
}

/// Whether one slice says \p a and \p b, which begins where \p a ends; and that slice.
bool join_below(BandSlice& a, const BandSlice& b) {
  BandSlice both = a;
  both.q_end = b.q_end;
  both.k_begin = std::min(a.k_begin, b.k_begin);
  both.k_end = std::max(a.k_end, b.k_end);
  const auto rows = [&](const BandSlice& part) {
    BandSlice result = both;
    result.q_begin = part.q_begin;
    result.q_end = part.q_end;
    return result.tight();
  };
  // A full rectangle has any band; those of its neighbor may be the ones that count.
  for (const BandSlice& band : {a, b}) {
    both.diagonal_lo = band.diagonal_lo;
    both.diagonal_hi = band.diagonal_hi;
    if (same_pairs(rows(a), a) && same_pairs(rows(b), b)) {
      a = both;
      return true;
    }
  }
  return false;
}

/// Slices cut so that those that share a query have the same ones, by query, then key.
std::vector<BandSlice> cut_by_query(const std::vector<BandSlice>& parts) {
  std::vector<std::int64_t> borders;
  for (const BandSlice& part : parts) borders.insert(borders.end(), {part.q_begin, part.q_end});
  std::sort(borders.begin(), borders.end());
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());
  std::vector<BandSlice> cut;
  for (BandSlice part : parts) {
    for (auto border = std::upper_bound(borders.begin(), borders.end(), part.q_begin); part.q_begin < part.q_end;
         ++border) {
      BandSlice upper = part;
      upper.q_end = *border;
      cut.push_back(upper.tight());
      part.q_begin = *border;
    }
  }
  std::sort(cut.begin(), cut.end(), [](const BandSlice& a, const BandSlice& b) {
    return std::tie(a.q_begin, a.k_begin) < std::tie(b.q_begin, b.k_begin);
  });
  return cut;
}

/// Joins slices with their right neighbors. \p slices as `cut_by_query` makes them.
std::vector<BandSlice> joined_along_keys(const std::vector<BandSlice>& slices) {
  std::vector<BandSlice> result;
  for (const BandSlice& slice : slices) {
    if (!result.empty() && result.back().q_begin == slice.q_begin && continues_right(result.back(), slice)) {
      result.back().k_end = slice.k_end;
      result.back().diagonal_hi = slice.diagonal_hi;
    } else {
      result.push_back(slice);
    }
  }
  return result;
}

/// Joins slices with those below them. \p slices by query, then key.
std::vector<BandSlice> joined_along_queries(const std::vector<BandSlice>& slices) {
  std::vector<BandSlice> result;
  std::vector<std::size_t> above, here;  // in `result`: those that end where the current queries begin, by key
  for (std::size_t i = 0; i < slices.size();) {
    const std::int64_t begin = slices[i].q_begin;
    std::size_t candidate = 0;
    here.clear();
    for (; i < slices.size() && slices[i].q_begin == begin; ++i) {
      while (candidate < above.size() && result[above[candidate]].k_end < slices[i].k_begin) ++candidate;
      const bool can_join = candidate < above.size() && result[above[candidate]].q_end == begin;
      if (can_join && join_below(result[above[candidate]], slices[i])) {
        here.push_back(above[candidate++]);
      } else {
        here.push_back(result.size());
        result.push_back(slices[i]);
      }
    }
    above.swap(here);
  }
  return result;
}

}  // namespace

void LocalRows::add(const solver::RangeSet& rows, std::int64_t at) {
  for (const Range& range : rows) {
    pieces_.push_back({range, at});
    at += range.size();
  }
  size_ = std::max(size_, at);
  pieces_ = joined(std::move(pieces_));
}

void LocalRows::add_in_blocks(const solver::RangeSet& rows, std::int64_t block) {
  std::int64_t last_block = -1, blocks = 0;
  for (const Range& range : rows) {
    for (std::int64_t begin = range.begin; begin < range.end;) {
      const std::int64_t number = begin / block;
      const std::int64_t end = std::min(range.end, (number + 1) * block);
      if (number != last_block) {
        last_block = number;
        ++blocks;
      }
      pieces_.push_back({{begin, end}, (blocks - 1) * block + begin % block});
      begin = end;
    }
  }
  size_ = blocks * block;
  pieces_ = joined(std::move(pieces_));
}

std::vector<LocalPiece> LocalRows::find(Range global) const {
  std::vector<LocalPiece> result;
  std::int64_t rows = 0;
  for_each_part(pieces_, global, [&](const LocalPiece& part) {
    result.push_back(part);
    rows += part.global.size();
  });
  require(rows == global.size(), [&] {
    return text("DistributedAttention: rows = [", global.begin, ", ", global.end, "): only ", rows,
                " of them are on this rank: the plan is not complete");
  });
  return result;
}

bool LocalRows::contains(std::int64_t global) const {
  const auto piece = piece_at(pieces_, global);
  return piece != std::span(pieces_).end() && piece->global.contains(global);
}

std::vector<std::int32_t> LocalRows::positions() const {
  std::vector<std::int32_t> result(static_cast<std::size_t>(size_), 0);
  for (const LocalPiece& piece : pieces_) {
    for (std::int64_t i = 0; i < piece.global.size(); ++i) {
      result[static_cast<std::size_t>(piece.local + i)] = static_cast<std::int32_t>(piece.global.begin + i);
    }
  }
  return result;
}

std::vector<BandSlice> local_slices(std::span<const BandSlice> slices, const LocalRows& queries, const LocalRows& keys,
                                    Joining joining) {
  std::vector<BandSlice> parts;
  for (const BandSlice& slice : slices) {
    for_each_part(queries.pieces(), slice.q(), [&](const LocalPiece& q) {
      for_each_part(keys.pieces(), slice.k(), [&](const LocalPiece& k) {
        const BandSlice part =
            BandSlice{q.global.begin, q.global.end, k.global.begin, k.global.end, slice.diagonal_lo, slice.diagonal_hi}
                .tight();
        if (!part.q().empty()) parts.push_back(part.shifted(q.local - q.global.begin, k.local - k.global.begin));
      });
    });
  }
  parts = cut_by_query(parts);
  return joining == Joining::fewest ? joined_along_queries(joined_along_keys(parts)) : parts;
}

}  // namespace caesura::impl
