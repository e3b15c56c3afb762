// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/document_mask.hpp>
#include <caesura/documents.hpp>
#include <reference/reference.hpp>
#include <support/random_numbers.hpp>

#include <cstdint>
#include <utility>
#include <vector>

namespace caesura::testing {

/// Random numbers of all kinds that attention takes.
class Random : public RandomNumbers {
 public:
  using RandomNumbers::RandomNumbers;

  /// A multiple of 1/64 in [-1, 1]: exact in double, float, half and bfloat16.
  double value() { return static_cast<double>(integer(-64, 64)) / 64; }

  reference::Tensor tensor(std::int64_t rows, std::int64_t heads, std::int64_t dim) {
    reference::Tensor result(rows, heads, dim);
    for (double& x : result.values) x = value();
    return result;
  }

  /// Up to \p most lengths in [0, longest]; about one in five is 0.
  std::vector<std::int64_t> lengths(std::int64_t most, std::int64_t longest) {
    std::vector<std::int64_t> result(static_cast<std::size_t>(integer(1, most)));
    for (std::int64_t& length : result) length = chance(0.2) ? 0 : integer(0, longest);
    return result;
  }

  /// Inside `[0, size) x [0, size)` or a little beyond, with any kind of bounds; some are empty, even reversed.
  BandSlice slice(std::int64_t size) {
    BandSlice result = {integer(-1, size), integer(-1, size + 1), integer(-1, size), integer(-1, size + 1)};
    if (result.q_end < result.q_begin && chance(0.9)) std::swap(result.q_begin, result.q_end);
    if (result.k_end < result.k_begin && chance(0.9)) std::swap(result.k_begin, result.k_end);
    if (chance(0.6)) result.diagonal_lo = integer(-size, size);
    if (chance(0.6)) result.diagonal_hi = integer(-size, size);
    return result;
  }

  DocumentMask rule(std::int64_t size) {
    DocumentMask result = {.kind = static_cast<MaskKind>(integer(0, 4))};
    if (chance(0.5)) result.window = {integer(-1, size), integer(-1, size)};
    if (chance(0.4)) result.chunk = integer(1, size);
    if (chance(0.3)) result.prefix = integer(0, size);
    return result;
  }
};

}  // namespace caesura::testing
