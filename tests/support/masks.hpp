// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace caesura::testing {

struct NamedMask {
  std::string name;  ///< fits a test's name
  Mask mask;
};

/// All shapes that kernels must handle, 130 to 200 tokens each: more than one tile, borders inside tiles.
std::vector<NamedMask> kernel_masks();

/// The published mask cases, every position divided by \p divisor.
std::vector<NamedMask> published_masks(std::int64_t divisor);

/// Up to \p count disjoint rectangles of all types, down to single pairs, scattered over the totals.
Mask random_rectangles(std::int64_t total_q, std::int64_t total_k, std::int64_t count, std::uint64_t seed);

}  // namespace caesura::testing
