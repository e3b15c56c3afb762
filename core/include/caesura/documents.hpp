// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace caesura {

/// The largest number of tokens on either side of a mask, so that an area fits an int64.
inline constexpr std::int64_t max_tokens = std::int64_t{1} << 31;

/// Where one document lies in the packed queries and keys. Either range may be empty.
struct Document {
  Range q;
  Range k;
  friend constexpr bool operator==(const Document&, const Document&) = default;
};

/// Documents packed one behind the other, in order and without overlap; gaps (padding) may lie between them.
///
/// Every factory throws `Error` that names the entry, its value and the rule.
class Documents {
 public:
  /// Self attention: document i has `lengths[i] >= 0` queries and as many keys, no padding.
  static Documents from_lengths(std::span<const std::int64_t> lengths);
  static Documents from_lengths(std::initializer_list<std::int64_t> lengths);
  /// Cross attention: the two lists have equal sizes.
  static Documents from_lengths(std::span<const std::int64_t> lengths_q, std::span<const std::int64_t> lengths_k);

  /// Offsets `(documents + 1)`, int32 or int64: start at 0, never decrease; repeats are empty documents.
  /// \p total >= the last offset adds padding behind the last document; -1 takes the last offset.
  static Documents from_cu_seqlens(std::span<const std::int32_t> cu_seqlens, std::int64_t total = -1);
  static Documents from_cu_seqlens(std::span<const std::int64_t> cu_seqlens, std::int64_t total = -1);
  /// Cross attention: one list for the queries, one for the keys.
  static Documents from_cu_seqlens(std::span<const std::int64_t> cu_seqlens_q,
                                   std::span<const std::int64_t> cu_seqlens_k);

  /// Padding between documents: \p cu_seqlens gives the lengths, \p cu_seqlens_padded the places in memory.
  /// The padded offsets may start above 0 (leading padding); each document must fit before the next one.
  static Documents from_padded(std::span<const std::int64_t> cu_seqlens,
                               std::span<const std::int64_t> cu_seqlens_padded);
  static Documents from_padded(std::span<const std::int64_t> cu_seqlens_q,
                               std::span<const std::int64_t> cu_seqlens_q_padded,
                               std::span<const std::int64_t> cu_seqlens_k,
                               std::span<const std::int64_t> cu_seqlens_k_padded);

  /// The batched form: \p cu_seqlens is `(batch, max_docs + 1)`, row-major, each row `0, boundaries, seq, seq...`.
  /// Row b is flattened to positions `[b * seq, (b + 1) * seq)`. A row may end below \p seq: padding.
  static Documents from_batch(std::span<const std::int32_t> cu_seqlens, std::int64_t batch, std::int64_t seq);

  std::int64_t total_q() const { return total_q_; }
  std::int64_t total_k() const { return total_k_; }
  std::int64_t count() const { return static_cast<std::int64_t>(documents_.size()); }
  const Document& operator[](std::int64_t i) const { return documents_[static_cast<std::size_t>(i)]; }
  auto begin() const { return documents_.begin(); }
  auto end() const { return documents_.end(); }

 private:
  Documents(std::vector<Document> documents, std::int64_t total_q, std::int64_t total_k)
      : documents_(std::move(documents)), total_q_(total_q), total_k_(total_k) {}

  std::vector<Document> documents_;
  std::int64_t total_q_;
  std::int64_t total_k_;
};

/// Offsets `(documents + 1)` of \p lengths, for interfaces that take 32 bits.
/// \throws Error if the sum does not fit: use int64 offsets there.
std::vector<std::int32_t> cu_seqlens_int32(std::span<const std::int64_t> lengths);

}  // namespace caesura
