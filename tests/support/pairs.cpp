// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <support/pairs.hpp>

namespace caesura::testing {

std::string describe(const BandSlice& slice) {
  const auto bound = [](std::int64_t diagonal) {
    const bool none = diagonal == BandSlice::unbounded_lo || diagonal == BandSlice::unbounded_hi;
    return none ? std::string("-") : std::to_string(diagonal);
  };
  return text("q [", slice.q_begin, ", ", slice.q_end, ") k [", slice.k_begin, ", ", slice.k_end, ") diagonal [",
              bound(slice.diagonal_lo), ", ", bound(slice.diagonal_hi), "]");
}

std::string describe(std::span<const BandSlice> slices) {
  std::string result;
  for (const BandSlice& slice : slices) result += "\n  " + describe(slice);
  return result;
}

std::string describe(const DocumentMask& rule) {
  return text("kind ", static_cast<int>(rule.kind), " window (", rule.window.left, ", ", rule.window.right, ") chunk ",
              rule.chunk, " prefix ", rule.prefix);
}

std::string describe(const Documents& documents) {
  std::string result = text("totals ", documents.total_q(), " x ", documents.total_k(), ":");
  for (const Document& d : documents) {
    result += text(" q [", d.q.begin, ", ", d.q.end, ") k [", d.k.begin, ", ", d.k.end, ")");
  }
  return result;
}

}  // namespace caesura::testing
