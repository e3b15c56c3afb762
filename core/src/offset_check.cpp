// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/offset_check.hpp"

#include <caesura/error.hpp>

#include <string>

namespace caesura::impl {

std::string describe_violation(std::int64_t code, std::int64_t value, std::int64_t before,
                               const OffsetExtents& extents) {
  constexpr const char* names[] = {"cu_seqlens_q", "cu_seqlens_k", "cu_seqlens_q_padded", "cu_seqlens_k_padded"};
  const OffsetArray array = OffsetCode::array(code);
  const std::int64_t b = OffsetCode::entry(code) / extents.entries;
  const std::int64_t i = OffsetCode::entry(code) % extents.entries;
  const bool is_query = array == OffsetArray::q || array == OffsetArray::q_padded;
  const auto rule = [&]() -> std::string {
    switch (OffsetCode::rule(code)) {
      case OffsetRule::starts_at_zero: return "must start at 0";
      case OffsetRule::not_negative: return "must not be negative";
      case OffsetRule::not_decreasing: return text("must not be below the entry before it, ", before);
      case OffsetRule::inside_total:
        return is_query ? text("passes the end, total_q = ", extents.total_q)
                        : text("passes the end, total_k = ", extents.total_k);
      default: return text("document ", i - 1, " does not fit between ", before, " and it");
    }
  };
  const std::string place = extents.batch > 1 ? text("[", b, "][", i, "]") : text("[", i, "]");
  return text("AttentionPlan: ", names[static_cast<int>(array)], place, " = ", value, ": ", rule());
}

}  // namespace caesura::impl
