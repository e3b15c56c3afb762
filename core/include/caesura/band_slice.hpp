// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

#include <cstdint>

namespace caesura {

/// Token positions `[begin, end)`; empty where `begin >= end`.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  KOKKOS_FUNCTION constexpr std::int64_t size() const { return end > begin ? end - begin : 0; }
  KOKKOS_FUNCTION constexpr bool empty() const { return end <= begin; }
  KOKKOS_FUNCTION constexpr bool contains(std::int64_t position) const { return position >= begin && position < end; }
  friend constexpr bool operator==(const Range&, const Range&) = default;
};

KOKKOS_FUNCTION constexpr Range intersect(Range a, Range b) {
  return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}

/// The one shape every mask is made of: a rectangle cut by a diagonal band.
///
/// Query `q` may see key `k` if and only if `q` is in `[q_begin, q_end)`, `k` is in `[k_begin, k_end)`
/// and `diagonal_lo <= k - q <= diagonal_hi`. All positions are global token coordinates.
///
///          k_begin        k_end
///   q_begin  # # # . . . . .
///            # # # # . . . .        '#' visible: a band between two diagonals
///            . # # # # . . .
///   q_end    . . # # # # . .
///
/// Cutting by a range of queries or of keys only shrinks the rectangle; the band never changes.
struct BandSlice {
  static constexpr std::int64_t unbounded_lo = -(std::int64_t{1} << 61);
  static constexpr std::int64_t unbounded_hi = std::int64_t{1} << 61;

  std::int64_t q_begin = 0;
  std::int64_t q_end = 0;
  std::int64_t k_begin = 0;
  std::int64_t k_end = 0;
  std::int64_t diagonal_lo = unbounded_lo;
  std::int64_t diagonal_hi = unbounded_hi;

  /// Every pair of the rectangle.
  static constexpr BandSlice full(Range q, Range k) { return {q.begin, q.end, k.begin, k.end}; }
  /// Lower triangle aligned to the last query and the last key.
  static constexpr BandSlice causal(Range q, Range k) {
    return {q.begin, q.end, k.begin, k.end, unbounded_lo, k.end - q.end};
  }
  /// Lower triangle aligned to the first query and the first key.
  static constexpr BandSlice causal_top_left(Range q, Range k) {
    return {q.begin, q.end, k.begin, k.end, unbounded_lo, k.begin - q.begin};
  }
  /// Upper triangle aligned to the first query and the first key.
  static constexpr BandSlice inverse_causal(Range q, Range k) {
    return {q.begin, q.end, k.begin, k.end, k.begin - q.begin, unbounded_hi};
  }
  /// Between the two: `inverse_causal` and `causal` at once.
  static constexpr BandSlice bi_causal(Range q, Range k) {
    return {q.begin, q.end, k.begin, k.end, k.begin - q.begin, k.end - q.end};
  }

  KOKKOS_FUNCTION constexpr Range q() const { return {q_begin, q_end}; }
  KOKKOS_FUNCTION constexpr Range k() const { return {k_begin, k_end}; }

  KOKKOS_FUNCTION constexpr bool visible(std::int64_t query, std::int64_t key) const {
    return q().contains(query) && k().contains(key) && key - query >= diagonal_lo && key - query <= diagonal_hi;
  }

  /// The keys that \p query sees, an interval (maybe empty). \p query must lie in `q()`.
  KOKKOS_FUNCTION constexpr Range keys_of(std::int64_t query) const {
    return intersect(k(), {query + diagonal_lo, query + diagonal_hi + 1});
  }

  /// The same set of pairs with queries and keys exchanged.
  KOKKOS_FUNCTION constexpr BandSlice transposed() const {
    return {k_begin, k_end, q_begin, q_end, -diagonal_hi, -diagonal_lo};
  }

  /// The same pairs in the smallest rectangle; of an empty slice, a rectangle without rows.
  /// Afterwards every row and every column of a non-empty slice sees at least one partner.
  KOKKOS_FUNCTION constexpr BandSlice tight() const {
    BandSlice result = *this;
    if (diagonal_lo > diagonal_hi || q().empty() || k().empty()) return result.q_end = result.q_begin, result;
    const Range rows = intersect(q(), {k_begin - diagonal_hi, k_end - diagonal_lo});
    if (rows.empty()) return result.q_end = result.q_begin, result;
    const Range keys = intersect(k(), {rows.begin + diagonal_lo, rows.end + diagonal_hi});
    return {rows.begin, rows.end, keys.begin, keys.end, diagonal_lo, diagonal_hi};
  }

  KOKKOS_FUNCTION constexpr bool empty() const { return tight().q().empty(); }

  /// The number of visible pairs, in closed form.
  constexpr std::int64_t area() const;

  constexpr BandSlice restricted(Range queries, Range keys) const {
    const Range rows = intersect(q(), queries);
    const Range columns = intersect(k(), keys);
    return {rows.begin, rows.end, columns.begin, columns.end, diagonal_lo, diagonal_hi};
  }

  /// The slice moved by \p dq queries and \p dk keys.
  constexpr BandSlice shifted(std::int64_t dq, std::int64_t dk) const {
    return {q_begin + dq,
            q_end + dq,
            k_begin + dk,
            k_end + dk,
            diagonal_lo == unbounded_lo ? unbounded_lo : diagonal_lo + dk - dq,
            diagonal_hi == unbounded_hi ? unbounded_hi : diagonal_hi + dk - dq};
  }

  friend constexpr bool operator==(const BandSlice&, const BandSlice&) = default;
};

/// The pairs that both slices contain: again a band slice.
KOKKOS_FUNCTION constexpr BandSlice intersect(const BandSlice& a, const BandSlice& b) {
  const Range rows = intersect(a.q(), b.q());
  const Range keys = intersect(a.k(), b.k());
  return {rows.begin,
          rows.end,
          keys.begin,
          keys.end,
          a.diagonal_lo > b.diagonal_lo ? a.diagonal_lo : b.diagonal_lo,
          a.diagonal_hi < b.diagonal_hi ? a.diagonal_hi : b.diagonal_hi};
}

namespace impl {
/// Sum over q in [begin, end) of min(q + offset, cap).
constexpr std::int64_t sum_of_clamped_line(std::int64_t begin, std::int64_t end, std::int64_t offset,
                                           std::int64_t cap) {
  // Rows below `knee` lie on the line, the others on the cap.
  std::int64_t knee = cap - offset;
  knee = knee < begin ? begin : (knee > end ? end : knee);
  const std::int64_t line_rows = knee - begin;
  // The first and last value of the line have a sum of either parity; one factor is always even.
  const std::int64_t first_plus_last = begin + knee - 1 + 2 * offset;
  const std::int64_t line = line_rows % 2 == 0 ? line_rows / 2 * first_plus_last : line_rows * (first_plus_last / 2);
  return (line_rows == 0 ? 0 : line) + (end - knee) * cap;
}
}  // namespace impl

constexpr std::int64_t BandSlice::area() const {
  const BandSlice slice = tight();
  if (slice.q().empty()) return 0;
  // In a tight slice no row is empty: its length is min(q + hi + 1, k_end) - max(q + lo, k_begin).
  // Positions are counted from the corner, so that the sums stay small.
  const std::int64_t rows = slice.q_end - slice.q_begin;
  const std::int64_t columns = slice.k_end - slice.k_begin;
  const std::int64_t shift = slice.q_begin - slice.k_begin;
  const std::int64_t ends = impl::sum_of_clamped_line(0, rows, slice.diagonal_hi + 1 + shift, columns);
  // max(x, 0) = x - min(x, 0)
  const std::int64_t lo = slice.diagonal_lo + shift;
  if (lo <= -rows) return ends;
  const std::int64_t line = rows % 2 == 0 ? rows / 2 * (rows - 1 + 2 * lo) : rows * ((rows - 1) / 2 + lo);
  return ends - (line - impl::sum_of_clamped_line(0, rows, lo, 0));
}

}  // namespace caesura
