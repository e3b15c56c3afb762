// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "rank_color.hpp"
#include "svg.hpp"
#include <caesura/solver/plan.hpp>

#include <cstdint>
#include <span>

namespace caesura::tools {

/// Work, received rows and sent rows of the ranks side by side, each with the mean of all ranks as a line.
void draw_rank_bars(Svg& svg, const solver::Plan& plan, std::span<const std::int32_t> ranks, const RankColors& colors,
                    Point corner, double width, double height);

}  // namespace caesura::tools
