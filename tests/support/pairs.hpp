// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace caesura::testing {

/// The visible pairs of a small mask, one by one: what everything else is compared with.
class Pairs {
 public:
  Pairs(std::int64_t total_q, std::int64_t total_k)
      : total_q_(total_q), total_k_(total_k), visible_(static_cast<std::size_t>(total_q * total_k)) {}

  std::int64_t total_q() const { return total_q_; }
  std::int64_t total_k() const { return total_k_; }
  /// How often a pair was added; pairs outside the totals count as never.
  int count(std::int64_t q, std::int64_t k) const { return inside(q, k) ? visible_[index(q, k)] : 0; }
  void add(std::int64_t q, std::int64_t k) {
    if (inside(q, k)) ++visible_[index(q, k)];
  }
  std::int64_t area() const {
    std::int64_t result = 0;
    for (const unsigned char n : visible_) result += n;
    return result;
  }
  friend bool operator==(const Pairs&, const Pairs&) = default;

 private:
  bool inside(std::int64_t q, std::int64_t k) const { return q >= 0 && q < total_q_ && k >= 0 && k < total_k_; }
  std::size_t index(std::int64_t q, std::int64_t k) const { return static_cast<std::size_t>(q * total_k_ + k); }

  std::int64_t total_q_;
  std::int64_t total_k_;
  std::vector<unsigned char> visible_;
};

/// By the definition in band_slice.hpp's comment, without its functions.
inline bool in_slice(const BandSlice& s, std::int64_t q, std::int64_t k) {
  return q >= s.q_begin && q < s.q_end && k >= s.k_begin && k < s.k_end && s.diagonal_lo <= k - q &&
         k - q <= s.diagonal_hi;
}

inline Pairs pairs_of(std::int64_t total_q, std::int64_t total_k, std::span<const BandSlice> slices) {
  Pairs pairs(total_q, total_k);
  for (const BandSlice& slice : slices) {
    for (std::int64_t q = slice.q_begin; q < slice.q_end; ++q) {
      for (std::int64_t k = slice.k_begin; k < slice.k_end; ++k) {
        if (in_slice(slice, q, k)) pairs.add(q, k);
      }
    }
  }
  return pairs;
}

inline Pairs pairs_of(const Mask& mask) { return pairs_of(mask.total_q(), mask.total_k(), mask.slices()); }

/// By the text of document_mask.hpp: i and j count from the document's start.
inline bool rule_allows(const DocumentMask& rule, std::int64_t i, std::int64_t j, std::int64_t len_q,
                        std::int64_t len_k) {
  const bool top_left = rule.kind == MaskKind::causal_top_left || rule.kind == MaskKind::inverse_causal;
  const std::int64_t aligned = top_left ? i : i + len_k - len_q;
  bool kind = true;
  if (rule.kind == MaskKind::causal) kind = j <= i + len_k - len_q;
  if (rule.kind == MaskKind::causal_top_left) kind = j <= i;
  if (rule.kind == MaskKind::inverse_causal) kind = j >= i;
  if (rule.kind == MaskKind::bi_causal) kind = j >= i && j <= i + len_k - len_q;
  if (!kind) return false;
  if (j < rule.prefix) return true;
  if (rule.window.left >= 0 && j < aligned - rule.window.left) return false;
  if (rule.window.right >= 0 && j > aligned + rule.window.right) return false;
  const auto floor_divide = [](std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); };
  return rule.chunk == 0 || floor_divide(aligned, rule.chunk) == floor_divide(j, rule.chunk);
}

inline Pairs pairs_of(const Documents& documents, const DocumentMask& rule) {
  Pairs pairs(documents.total_q(), documents.total_k());
  for (const Document& document : documents) {
    for (std::int64_t i = 0; i < document.q.size(); ++i) {
      for (std::int64_t j = 0; j < document.k.size(); ++j) {
        if (rule_allows(rule, i, j, document.q.size(), document.k.size())) {
          pairs.add(document.q.begin + i, document.k.begin + j);
        }
      }
    }
  }
  return pairs;
}

/// For messages.
std::string describe(const BandSlice& slice);
std::string describe(std::span<const BandSlice> slices);
std::string describe(const DocumentMask& rule);
std::string describe(const Documents& documents);

}  // namespace caesura::testing
