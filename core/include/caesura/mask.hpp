// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/document_mask.hpp>
#include <caesura/documents.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace caesura {

/// 128 bits that tell masks apart: equal for equal masks, on every machine.
struct Fingerprint {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  friend constexpr bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// Which pairs of `total_q` queries and `total_k` keys are visible: disjoint, tight, non-empty band slices,
/// ordered by first query, then first key. Immutable; every operation returns another mask.
///
///     Mask mask = Mask::from_documents(Documents::from_lengths({100, 80, 76}), {.window = {32, 0}});
class Mask {
 public:
  /// One rule for all documents. O(documents + chunks).
  static Mask from_documents(const Documents& documents, const DocumentMask& rule = {});

  /// Any slices. Empty ones are dropped, the others made tight.
  /// \throws Error if a slice leaves `[0, total_q) x [0, total_k)`, or if two overlap: the text names
  ///         both and one pair that both contain. O(n log n).
  static Mask from_slices(std::int64_t total_q, std::int64_t total_k, std::span<const BandSlice> slices);

  /// Block-sparse: block (i, j) covers queries `[i * block_q, ...)` and keys `[j * block_k, ...)`, the last
  /// ones cut at the totals. \p visible is `(ceil(total_q / block_q), ceil(total_k / block_k))`, row-major.
  static Mask from_blocks(std::int64_t total_q, std::int64_t total_k, std::int64_t block_q, std::int64_t block_k,
                          std::span<const std::uint8_t> visible);

  std::int64_t total_q() const { return total_q_; }
  std::int64_t total_k() const { return total_k_; }
  std::span<const BandSlice> slices() const { return slices_; }

  /// Of totals and slices, made with the mask: a lookup by it costs nothing.
  Fingerprint fingerprint() const { return fingerprint_; }

  /// Visible pairs, summed over the slices in closed form.
  std::int64_t area() const;
  /// O(slices). For tests and small masks.
  bool visible(std::int64_t query, std::int64_t key) const;

  /// Keeps only pairs of these queries and keys; coordinates and totals stay.
  Mask restricted(Range queries, Range keys) const;
  /// The same pairs, with every slice cut at each of the \p positions (any order) along the queries or keys.
  Mask cut_q(std::span<const std::int64_t> positions) const;
  Mask cut_k(std::span<const std::int64_t> positions) const;
  /// Moves every pair by \p dq, \p dk into totals \p total_q, \p total_k.
  /// \throws Error if a visible pair would leave them.
  Mask shifted(std::int64_t dq, std::int64_t dk, std::int64_t total_q, std::int64_t total_k) const;
  /// Queries and keys exchanged.
  Mask transposed() const;

  friend bool operator==(const Mask&, const Mask&) = default;

 private:
  Mask(std::int64_t total_q, std::int64_t total_k, std::vector<BandSlice> slices);

  std::int64_t total_q_;
  std::int64_t total_k_;
  std::vector<BandSlice> slices_;
  Fingerprint fingerprint_;
};

/// Two slices of a list that contain the same pair.
struct SliceOverlap {
  std::size_t first;
  std::size_t second;
  std::int64_t query;
  std::int64_t key;
};

/// A pair that two of the slices contain, if there is one.
/// A sweep over the queries that keeps the active slices in the order of their keys (Shamos & Hoey 1976). O(n log n).
std::optional<SliceOverlap> find_overlap(std::span<const BandSlice> slices);

}  // namespace caesura
