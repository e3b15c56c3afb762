// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/document_rule.hpp"
#include <caesura/band_slice.hpp>
#include <caesura/packed_offsets.hpp>

// Where the lowering gets its slices from: `find(layer, row)` is the slice that a row's interval comes from, and how
// far along the rows it stays the same. Both sources serve queries and keys: for keys the slices are transposed.

namespace caesura::impl {

/// Rows up to `end` see what `slice`, tight, shows them; outside the slice's rows nothing.
struct SlicePiece {
  BandSlice slice;
  std::int64_t end = 0;
};

enum class Side : std::uint8_t { queries, keys };

/// The index of the first of \p count elements for which \p is_behind holds; they are sorted by it.
template <class IsBehind>
KOKKOS_FUNCTION std::int64_t first_behind(std::int64_t count, const IsBehind& is_behind) {
  std::int64_t low = 0;
  while (low < count) {
    const std::int64_t middle = low + (count - low) / 2;
    if (is_behind(middle)) {
      count = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// Tight slices of a host mask, sorted by row within each layer.
struct SliceSource {
  const BandSlice* slices;
  const std::int64_t* layer_begin;
  std::int64_t rows;

  KOKKOS_FUNCTION SlicePiece find(std::int32_t layer, std::int64_t row) const {
    const BandSlice* begin = slices + layer_begin[layer];
    const std::int64_t count = layer_begin[layer + 1] - layer_begin[layer];
    const std::int64_t i = first_behind(count, [&](std::int64_t s) { return begin[s].q_end > row; });
    if (i == count) return {{}, rows};
    return {begin[i], begin[i].q_end};
  }
};

/// One list of offsets, int32 or int64, `(batch, entries)`.
struct OffsetList {
  const void* data = nullptr;
  bool is_wide = false;
  std::int64_t batch_stride = 0;

  KOKKOS_FUNCTION std::int64_t operator()(std::int64_t batch, std::int64_t i) const {
    const std::int64_t at = batch * batch_stride + i;
    return is_wide ? static_cast<const std::int64_t*>(data)[at] : static_cast<const std::int32_t*>(data)[at];
  }
};

/// Documents given by offsets on the device, under one rule.
struct OffsetSource {
  OffsetList cu_q, cu_k;        // lengths
  OffsetList start_q, start_k;  // places in memory: the padded offsets, or the same lists
  std::int64_t batch = 1;
  std::int64_t entries = 1;  // documents + 1
  std::int64_t total_q = 0;  // a batch entry's rows
  std::int64_t total_k = 0;
  DocumentMask rule;
  Side side = Side::queries;

  /// Whatever the offsets hold, the result stays inside the totals.
  KOKKOS_FUNCTION static Range place(const OffsetList& cu, const OffsetList& start, std::int64_t b, std::int64_t i,
                                     std::int64_t total) {
    const std::int64_t begin = Kokkos::clamp(start(b, i), std::int64_t{0}, total);
    // Each offset by itself: differences of wild ones would overflow.
    const auto inside = [&](std::int64_t offset) { return Kokkos::clamp(offset, std::int64_t{0}, total); };
    return {begin, begin + Kokkos::clamp(inside(cu(b, i + 1)) - inside(cu(b, i)), std::int64_t{0}, total - begin)};
  }

  KOKKOS_FUNCTION SlicePiece find(std::int32_t part, std::int64_t row) const {
    const OffsetList& start = side == Side::queries ? start_q : start_k;
    const std::int64_t total = side == Side::queries ? total_q : total_k;
    const std::int64_t b = row / total;
    const std::int64_t base = b * total;
    // The last document that starts at or before the row: of several at one place, the only one with rows.
    const std::int64_t next = first_behind(entries, [&](std::int64_t i) { return start(b, i) > row - base; });
    const std::int64_t next_start = base + (next == entries ? total : Kokkos::min(start(b, next), total));
    const SlicePiece nothing{{}, next_start};
    if (next == 0 || next == entries) return nothing;

    const Range q = place(cu_q, start_q, b, next - 1, total_q);
    const Range k = place(cu_k, start_k, b, next - 1, total_k);
    const Document document{{b * total_q + q.begin, b * total_q + q.end}, {b * total_k + k.begin, b * total_k + k.end}};
    const Range own = side == Side::queries ? document.q : document.k;
    if (row >= own.end || document.q.empty() || document.k.empty()) return nothing;

    if (part == 1) return piece(prefix_slice(document, rule), own.end, next_start);
    const std::int64_t chunk =
        side == Side::queries ? chunk_of_query(document, rule, row) : chunk_of_key(document, rule, row);
    const Document cut = chunk_of(document, rule, chunk);
    return piece(main_slice(document, rule, chunk), side == Side::queries ? cut.q.end : cut.k.end, next_start);
  }

 private:
  KOKKOS_FUNCTION SlicePiece piece(const BandSlice& slice, std::int64_t end, std::int64_t limit) const {
    // Tight after transposing: of an empty slice, only the rows are sure to vanish.
    return {(side == Side::queries ? slice : slice.transposed()).tight(), end < limit ? end : limit};
  }
};

}  // namespace caesura::impl
