// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/document_mask.hpp>
#include <caesura/documents.hpp>
#include <reference/reference.hpp>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace caesura::testing {

/// Everything random in the tests; the same seed gives the same values on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// In [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return static_cast<double>(engine_() >> 11) * 0x1p-53 < probability; }
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

 private:
  std::mt19937_64 engine_;
};

}  // namespace caesura::testing
