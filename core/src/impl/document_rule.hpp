// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/document_mask.hpp>
#include <caesura/documents.hpp>

// A document's rule as band slices. The host builds masks from these functions, the device lowers offsets with
// them: one definition of every formula.

namespace caesura::impl {

KOKKOS_FUNCTION constexpr bool aligned_top_left(MaskKind kind) {
  return kind == MaskKind::causal_top_left || kind == MaskKind::inverse_causal;
}

/// `k - q` on the aligned diagonal.
KOKKOS_FUNCTION constexpr std::int64_t aligned_diagonal(const Document& document, MaskKind kind) {
  return aligned_top_left(kind) ? document.k.begin - document.q.begin : document.k.end - document.q.end;
}

/// The document's rectangle with the band of the kind alone.
KOKKOS_FUNCTION constexpr BandSlice kind_slice(const Document& document, MaskKind kind) {
  const std::int64_t top_left = document.k.begin - document.q.begin;
  const std::int64_t bottom_right = document.k.end - document.q.end;
  BandSlice slice{document.q.begin, document.q.end, document.k.begin, document.k.end};
  if (kind == MaskKind::inverse_causal || kind == MaskKind::bi_causal) slice.diagonal_lo = top_left;
  if (kind == MaskKind::causal || kind == MaskKind::bi_causal) slice.diagonal_hi = bottom_right;
  if (kind == MaskKind::causal_top_left) slice.diagonal_hi = top_left;
  return slice;
}

/// What every query sees through the prefix; empty unless `rule.has_prefix_part()`.
KOKKOS_FUNCTION constexpr BandSlice prefix_slice(const Document& document, const DocumentMask& rule) {
  BandSlice slice = kind_slice(document, rule.kind);
  const std::int64_t prefix = rule.prefix < document.k.size() ? rule.prefix : document.k.size();
  slice.k_end = slice.k_begin + prefix;
  return slice;
}

/// Chunk \p chunk of the document as a rectangle: the queries whose aligned key, and the keys, lie in it.
KOKKOS_FUNCTION constexpr Document chunk_of(const Document& document, const DocumentMask& rule, std::int64_t chunk) {
  if (rule.chunk == 0) return document;
  const Range keys{document.k.begin + chunk * rule.chunk, document.k.begin + (chunk + 1) * rule.chunk};
  const std::int64_t diagonal = aligned_diagonal(document, rule.kind);
  return {intersect(document.q, {keys.begin - diagonal, keys.end - diagonal}), intersect(document.k, keys)};
}

/// What the queries of \p chunk see apart from the prefix.
KOKKOS_FUNCTION constexpr BandSlice main_slice(const Document& document, const DocumentMask& rule, std::int64_t chunk) {
  BandSlice slice = kind_slice(document, rule.kind);
  const std::int64_t diagonal = aligned_diagonal(document, rule.kind);
  if (rule.window.left >= 0 && slice.diagonal_lo < diagonal - rule.window.left)
    slice.diagonal_lo = diagonal - rule.window.left;
  if (rule.window.right >= 0 && slice.diagonal_hi > diagonal + rule.window.right)
    slice.diagonal_hi = diagonal + rule.window.right;
  const Document part = chunk_of(document, rule, chunk);
  slice.q_begin = part.q.begin;
  slice.q_end = part.q.end;
  slice.k_begin = part.k.begin;
  slice.k_end = part.k.end;
  if (rule.has_prefix_part() && slice.k_begin < document.k.begin + rule.prefix) {
    slice.k_begin = document.k.begin + rule.prefix;
  }
  return slice;
}

KOKKOS_FUNCTION constexpr std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/// The chunk of a query, by its aligned key; may be negative where the query sees nothing.
KOKKOS_FUNCTION constexpr std::int64_t chunk_of_query(const Document& document, const DocumentMask& rule,
                                                      std::int64_t query) {
  if (rule.chunk == 0) return 0;
  return floor_divide(query + aligned_diagonal(document, rule.kind) - document.k.begin, rule.chunk);
}

KOKKOS_FUNCTION constexpr std::int64_t chunk_of_key(const Document& document, const DocumentMask& rule,
                                                    std::int64_t key) {
  return rule.chunk == 0 ? 0 : (key - document.k.begin) / rule.chunk;
}

/// The rule's parts, which become layers of the lowered form: the main part, and maybe the prefix.
constexpr int parts_of(const DocumentMask& rule) { return rule.has_prefix_part() ? 2 : 1; }

}  // namespace caesura::impl
