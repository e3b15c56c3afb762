// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/workload.hpp>

#include <algorithm>

namespace caesura::solver {

namespace {

/// At `row`, the pairs of a row change by `step` and their growth from row to row by `bend`.
struct Event {
  std::int64_t row;
  std::int64_t step;
  std::int64_t bend;
};

/// min(row + offset, cap) over \p rows.
void add_clamped_line(std::vector<Event>& events, Range rows, std::int64_t offset, std::int64_t cap) {
  // The row that reaches the cap still lies on the line: a causal document is one piece.
  const std::int64_t knee = std::clamp(cap - offset + 1, rows.begin, rows.end);
  if (knee > rows.begin) {
    events.push_back({rows.begin, rows.begin + offset, 1});
    // The line is taken away at its end, the cap comes.
    events.push_back({knee, -(knee + offset), -1});
  }
  if (knee < rows.end) {
    events.push_back({knee, cap, 0});
    events.push_back({rows.end, -cap, 0});
  }
}

}  // namespace

RowProfile::RowProfile(std::span<const BandSlice> slices, std::int64_t total_q) : total_q_(total_q) {
  std::vector<Event> events;
  events.reserve(slices.size() * 6);
  const auto by_row = [](const Event& a, const Event& b) { return a.row < b.row; };
  for (const BandSlice& slice : slices) {
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(events.size());
    // A tight slice: row q sees min(q + hi + 1, k_end) - max(q + lo, k_begin) keys, never none; max(x, y) = x + y - min(x, y).
    add_clamped_line(events, slice.q(), slice.diagonal_hi + 1, slice.k_end);
    const std::int64_t knee = std::clamp(slice.k_begin - slice.diagonal_lo, slice.q_begin, slice.q_end);
    if (knee > slice.q_begin) {
      events.push_back({slice.q_begin, -slice.k_begin, 0});
      events.push_back({knee, slice.k_begin, 0});
    }
    if (knee < slice.q_end) {
      events.push_back({knee, -(knee + slice.diagonal_lo), -1});
      events.push_back({slice.q_end, slice.q_end + slice.diagonal_lo, 1});
    }
    // Documents follow one another: with each one's few events in order, all are.
    std::sort(events.begin() + first, events.end(), by_row);
  }
  if (!std::is_sorted(events.begin(), events.end(), by_row)) std::sort(events.begin(), events.end(), by_row);

  Piece current = {0, 0, 0, 0};
  for (std::size_t i = 0; i < events.size();) {
    const std::int64_t row = events[i].row;
    const std::int64_t rows = row - current.begin;
    Piece next = {row, current.pairs_below(row), current.first + rows * current.slope, current.slope};
    for (; i < events.size() && events[i].row == row; ++i) {
      next.first += events[i].step;
      next.slope += events[i].bend;
    }
    if (rows > 0) pieces_.push_back(current);
    current = next;
  }
  if (current.begin < total_q_ || pieces_.empty()) pieces_.push_back(current);
}

const RowProfile::Piece& RowProfile::piece_of(std::int64_t row) const {
  const auto behind = std::upper_bound(pieces_.begin(), pieces_.end(), row,
                                       [](std::int64_t value, const Piece& piece) { return value < piece.begin; });
  return behind == pieces_.begin() ? *behind : *std::prev(behind);
}

std::int64_t RowProfile::pairs_below(std::int64_t row) const { return piece_of(row).pairs_below(row); }

std::int64_t RowProfile::row_of(std::int64_t pairs) const {
  std::int64_t low = 0;
  std::int64_t high = total_q_;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    pairs_below(middle) < pairs ? low = middle + 1 : high = middle;
  }
  return low;
}

}  // namespace caesura::solver
