// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "exchange/grouped.hpp"
#include <caesura/mask.hpp>
#include <caesura/solver/placement.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// What each rank computes and which keys it needs for that.
struct Demand {
  Grouped<BandSlice> slices;       ///< what its queries see: the mask cut at the owners' borders, tight, by first query
  Grouped<Range> needed;           ///< the keys they see, its own ones too: sorted, disjoint, not touching
  Grouped<Range> own_keys;         ///< the keys it owns: the same
  std::vector<std::int64_t> area;  ///< visible pairs of its queries
};

/// O(slices + owned ranges + their crossings), apart from sorting keys where a rank's slices do not come by key.
Demand demand_of(const Mask& mask, const Placement& placement);

/// Visible pairs of \p slices and sorted, disjoint \p keys.
std::int64_t area_on(std::span<const BandSlice> slices, std::span<const Range> keys);

}  // namespace caesura::solver::impl
