// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>

#include <cstdint>

namespace caesura {

/// What a query may see of its own document. With more queries than keys the first rows of a causal
/// document see nothing; with `inverse_causal` the last ones.
enum class MaskKind : std::uint8_t {
  full,             ///< everything
  causal,           ///< `j <= i + len_k - len_q`: the last query sees the last key (bottom-right)
  causal_top_left,  ///< `j <= i`: the first query sees the first key alone
  inverse_causal,   ///< `j >= i`
  bi_causal         ///< `i <= j <= i + len_k - len_q`
};

/// How far a query sees around its aligned key, which itself is not counted; -1 is unbounded.
/// (-1, -1) is everything, (-1, 0) causal, (W, 0) a sliding window.
struct Window {
  std::int64_t left = -1;
  std::int64_t right = -1;
  friend constexpr bool operator==(const Window&, const Window&) = default;
};

/// The rule inside each document. Positions i (query) and j (key) count from the document's start; the
/// aligned key of query i is `i + len_k - len_q`, or `i` for `causal_top_left` and `inverse_causal`.
///
/// A pair is visible if the kind allows it, and either it lies in the window and in one chunk
/// (`floor(aligned / chunk) == floor(j / chunk)`), or `j < prefix`.
struct DocumentMask {
  MaskKind kind = MaskKind::causal;
  Window window = {};
  std::int64_t chunk = 0;   ///< tokens a chunk; 0: no chunks
  std::int64_t prefix = 0;  ///< the first keys of a document that every query sees (global tokens)

  friend constexpr bool operator==(const DocumentMask&, const DocumentMask&) = default;

  /// Throws `Error` in the name of \p function for window entries below -1, negative chunk or prefix, ...
  void validate(const char* function) const;

  /// The window or the chunks hide something that a prefix could show again.
  constexpr bool has_prefix_part() const { return prefix > 0 && (window.left >= 0 || window.right >= 0 || chunk > 0); }
};

}  // namespace caesura
