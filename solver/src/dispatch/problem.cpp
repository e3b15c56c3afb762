// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "problem.hpp"

#include <caesura/error.hpp>

#include <algorithm>

namespace caesura::solver::impl {

namespace {

/// The tokens a slice ties together.
Range span_of(const BandSlice& slice, bool together) {
  return together ? Range{std::min(slice.q_begin, slice.k_begin), std::max(slice.q_end, slice.k_end)} : slice.q();
}

bool is_prefix(const BandSlice& slice) {
  return slice.q() == slice.k() && slice.diagonal_hi == 0 && slice.diagonal_lo <= slice.k_begin - slice.q_end + 1;
}

bool is_full(const BandSlice& slice) {
  return slice.q() == slice.k() && slice.diagonal_hi >= slice.k_end - 1 - slice.q_begin &&
         slice.diagonal_lo <= slice.k_begin - slice.q_end + 1;
}

}  // namespace

Problem::Problem(std::span<const WeightedMask> masks, const Cluster& cluster, const Options& options)
    : ranks_(cluster.ranks), tolerance_(options.tolerance), rates_(cluster.compute) {
  require(!masks.empty(), [] { return "dispatch: masks: none given, must be at least one"; });
  total_ = masks[0].mask.total_q();
  together_ = total_ == masks[0].mask.total_k();
  for (std::size_t m = 0; m < masks.size(); ++m) {
    const WeightedMask& weighted = masks[m];
    require(weighted.mask.total_q() == total_ && weighted.mask.total_k() == masks[0].mask.total_k(), [&] {
      return text("dispatch: mask of ", weighted.mask.total_q(), " x ", weighted.mask.total_k(),
                  " tokens: must have the totals of the first, ", total_, " x ", masks[0].mask.total_k());
    });
    require(weighted.weight >= 0,
            [&] { return text("dispatch: weight of a mask = ", weighted.weight, ": must not be negative"); });
    if (weighted.weight == 0) continue;
    for (const BandSlice& slice : weighted.mask.slices())
      slices_.push_back({slice, static_cast<std::int32_t>(m), weighted.weight});
  }
  require(!slices_.empty(), [] { return "dispatch: mask: has no visible pair, must have at least one"; });
  if (options.token_slack > 0) cap_ = token_cap(total_, ranks_, options.token_slack);
  seconds_per_pair_ = compute_seconds(1, options.layer, cluster.compute, options.passes);
  seconds_per_row_ = transfer_seconds(1, options.layer,
                                      cluster.nodes() > 1 ? cluster.across_nodes : cluster.within_node, options.passes);

  const auto by_span = [&](const WeightedSlice& a, const WeightedSlice& b) {
    return span_of(a.slice, together_).begin < span_of(b.slice, together_).begin;
  };
  if (!std::is_sorted(slices_.begin(), slices_.end(), by_span))
    std::stable_sort(slices_.begin(), slices_.end(), by_span);

  const auto add_padding = [&](Range rows) {
    if (!rows.empty()) components_.push_back({.rows = rows});
  };
  std::int64_t end = 0;  // of the tokens dealt with
  for (std::size_t i = 0; i < slices_.size();) {
    const std::size_t first = i;
    Range rows = span_of(slices_[i].slice, together_);
    for (++i; i < slices_.size() && span_of(slices_[i].slice, together_).begin < rows.end; ++i)
      rows.end = std::max(rows.end, span_of(slices_[i].slice, together_).end);
    add_padding({end, rows.begin});
    end = rows.end;
    if (masks.size() > 1) {
      std::stable_sort(slices_.begin() + static_cast<std::ptrdiff_t>(first),
                       slices_.begin() + static_cast<std::ptrdiff_t>(i),
                       [](const WeightedSlice& a, const WeightedSlice& b) { return a.mask < b.mask; });
    }
    components_.push_back({.rows = rows,
                           .first = static_cast<std::int32_t>(first),
                           .count = static_cast<std::int32_t>(i - first),
                           .prefix = together_ && i - first == 1 && is_prefix(slices_[first].slice),
                           .full = together_ && i - first == 1 && is_full(slices_[first].slice)});
  }
  add_padding({end, total_});

  // One curve for all masks: their pieces' borders together.
  std::vector<RowProfile> profiles;
  profiles.reserve(masks.size());
  for (const WeightedMask& weighted : masks) profiles.emplace_back(weighted.mask);
  std::vector<std::size_t> at(masks.size(), 0);
  for (std::int64_t row = 0; row < total_;) {
    CurvePiece piece = {row, 0, 0, 0};
    std::int64_t next = total_;
    for (std::size_t m = 0; m < masks.size(); ++m) {
      const std::span<const RowProfile::Piece> pieces = profiles[m].pieces();
      const RowProfile::Piece& own = pieces[at[m]];
      piece.below += masks[m].weight * static_cast<double>(own.pairs_below(row));
      piece.first += masks[m].weight * static_cast<double>(own.first + (row - own.begin) * own.slope);
      piece.slope += masks[m].weight * static_cast<double>(own.slope);
      if (at[m] + 1 < pieces.size()) next = std::min(next, pieces[at[m] + 1].begin);
    }
    curve_.push_back(piece);
    row = next;
    for (std::size_t m = 0; m < masks.size(); ++m)
      if (at[m] + 1 < profiles[m].pieces().size() && profiles[m].pieces()[at[m] + 1].begin <= row) ++at[m];
  }

  std::size_t piece = 0;
  for (Component& component : components_) {
    while (piece + 1 < curve_.size() && curve_[piece + 1].begin <= component.rows.begin) ++piece;
    std::size_t last = piece;
    while (last + 1 < curve_.size() && curve_[last + 1].begin < component.rows.end) ++last;
    component.piece = static_cast<std::int32_t>(piece);
    component.pieces = static_cast<std::int32_t>(last - piece + 1);
    component.pairs = below(component, component.rows.end) - below(component, component.rows.begin);
    const std::int64_t middle = component.rows.begin + component.rows.size() / 2;
    component.dense_first = 2 * pairs(component, {component.rows.begin, middle}) >
                            component.pairs + pairs(component, {middle, middle + component.rows.size() % 2});
    total_pairs_ += component.pairs;
    if (!pairs_are_work()) component.extra_work = measure_extra_work(component, component.rows);
    piece = last;
  }
}

double Problem::measure_extra_work(const Component& component, Range rows) const {
  double all = 0;
  for (const WeightedSlice& weighted : slices(component)) {
    const BandSlice part = weighted.slice.restricted(rows, weighted.slice.k());
    all += weighted.weight * work(std::span(&part, 1), rates_);
  }
  return all - pairs(component, rows);
}

double Problem::extra_work(const Component& component, Range rows) const {
  return rows == component.rows ? component.extra_work : measure_extra_work(component, rows);
}

double Problem::below_of_several(const Component& component, std::int64_t row) const {
  const auto first = curve_.begin() + component.piece;
  auto behind = first + 1;
  if (component.pieces > 8) {
    behind = std::upper_bound(first + 1, first + component.pieces, row,
                              [](std::int64_t value, const CurvePiece& piece) { return value < piece.begin; });
  } else {
    while (behind != first + component.pieces && behind->begin <= row) ++behind;
  }
  return below(*std::prev(behind), row);
}

std::int64_t Problem::room(std::int32_t rank) const {
  if (cap_ > 0) return cap_;
  return total_ * (rank + 1) / ranks_ - total_ * rank / ranks_;
}

}  // namespace caesura::solver::impl
