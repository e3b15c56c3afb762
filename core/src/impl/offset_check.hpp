// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/slice_source.hpp"
#include <caesura/impl/lowered_storage.hpp>

#include <Kokkos_Core.hpp>

// Offsets on the device are checked there in one pass; the host learns of it when it next waits.

namespace caesura::impl {

/// The arrays a check looks at, and the rules they can break; names for both are in offset_check.cpp.
enum class OffsetArray : std::uint8_t { q, k, q_padded, k_padded };
enum class OffsetRule : std::uint8_t { starts_at_zero, not_negative, not_decreasing, inside_total, fits };

/// A violation as one number; the smallest is reported: first array, then first entry.
struct OffsetCode {
  static constexpr std::int64_t ok = INT64_MAX;

  KOKKOS_FUNCTION static std::int64_t encode(OffsetArray array, std::int64_t entry, OffsetRule rule) {
    return (static_cast<std::int64_t>(array) << 56) | (entry << 8) | static_cast<std::int64_t>(rule);
  }
  KOKKOS_FUNCTION static OffsetArray array(std::int64_t code) { return static_cast<OffsetArray>(code >> 56); }
  KOKKOS_FUNCTION static std::int64_t entry(std::int64_t code) { return (code >> 8) & ((std::int64_t{1} << 48) - 1); }
  KOKKOS_FUNCTION static OffsetRule rule(std::int64_t code) { return static_cast<OffsetRule>(code & 0xff); }
};

/// Writes `(code, value, value before)` to `status`.
struct CheckOffsets {
  struct Reset {};
  struct Look {};
  struct Keep {};

  OffsetSource source;
  bool padded_q;
  bool padded_k;
  std::int64_t* status;

  KOKKOS_FUNCTION const OffsetList& list(OffsetArray array) const {
    switch (array) {
      case OffsetArray::q: return source.cu_q;
      case OffsetArray::k: return source.cu_k;
      case OffsetArray::q_padded: return source.start_q;
      default: return source.start_k;
    }
  }

  KOKKOS_FUNCTION void operator()(Reset, std::int64_t) const { status[0] = OffsetCode::ok; }

  KOKKOS_FUNCTION void operator()(Look, std::int64_t item) const {
    look(OffsetArray::q, item, false, padded_q, source.total_q);
    look(OffsetArray::k, item, false, padded_k, source.total_k);
    if (padded_q) look(OffsetArray::q_padded, item, true, false, source.total_q);
    if (padded_k) look(OffsetArray::k_padded, item, true, false, source.total_k);
  }

  KOKKOS_FUNCTION void operator()(Keep, std::int64_t) const {
    if (status[0] == OffsetCode::ok) return;
    const std::int64_t entry = OffsetCode::entry(status[0]);
    const OffsetList& values = list(OffsetCode::array(status[0]));
    const std::int64_t b = entry / source.entries;
    const std::int64_t i = entry % source.entries;
    status[1] = values(b, i);
    status[2] = i > 0 ? values(b, i - 1) : 0;
  }

 private:
  KOKKOS_FUNCTION void look(OffsetArray array, std::int64_t item, bool is_padded, bool has_places,
                            std::int64_t total) const {
    const std::int64_t b = item / source.entries;
    const std::int64_t i = item % source.entries;
    const OffsetList& values = list(array);
    const std::int64_t value = values(b, i);
    if (i == 0 && !is_padded && value != 0) report(array, item, OffsetRule::starts_at_zero);
    if (i == 0 && is_padded && value < 0) report(array, item, OffsetRule::not_negative);
    if (i > 0 && value < values(b, i - 1)) report(array, item, OffsetRule::not_decreasing);
    // Offsets that have places of their own give lengths only.
    if (!has_places && value > total) report(array, item, OffsetRule::inside_total);
    if (is_padded && i > 0) {
      const OffsetList& lengths = array == OffsetArray::q_padded ? source.cu_q : source.cu_k;
      if (distance(lengths(b, i - 1), lengths(b, i)) > distance(values(b, i - 1), value)) {
        report(array, item, OffsetRule::fits);
      }
    }
  }

  /// Of any two values, without overflow; 0 where they decrease, which is another rule's.
  KOKKOS_FUNCTION static std::uint64_t distance(std::int64_t from, std::int64_t to) {
    return to > from ? static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from) : 0;
  }

  KOKKOS_FUNCTION void report(OffsetArray array, std::int64_t item, OffsetRule rule) const {
    Kokkos::atomic_min(status, OffsetCode::encode(array, item, rule));
  }
};

/// The text for a violation: `AttentionPlan: cu_seqlens_q[3] = 7: must not be below the entry before it, 9`.
std::string describe_violation(std::int64_t code, std::int64_t value, std::int64_t before,
                               const OffsetExtents& extents);

}  // namespace caesura::impl
