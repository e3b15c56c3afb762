// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "rank_color.hpp"
#include "svg.hpp"
#include <caesura/solver/simulate.hpp>

#include <cstdint>
#include <span>

namespace caesura::tools {

/// Seconds in which a rank neither computes nor has ended: it waits for rows.
double waiting_seconds(const solver::RankTimeline& rank);

double timeline_height(std::size_t ranks);

/// For each of the \p ranks what it transfers and, below that, what it computes; hatched where it waits.
void draw_timeline(Svg& svg, const solver::Timeline& timeline, std::span<const std::int32_t> ranks,
                   const RankColors& colors, Point corner, double width);

}  // namespace caesura::tools
