// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_drawing.hpp"
#include "svg.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace caesura::tools {

inline constexpr std::string_view dark = "#111827";
inline constexpr std::string_view gray = "#6b7280";

/// 1, 2 or 5 times a power of ten, for about \p count ticks.
double tick_step(double total, int count);
std::int64_t tick_step(std::int64_t total, int count);

/// 25000000 -> "25M", 1500 -> "1,500", 20000 -> "20k".
std::string tick_text(std::int64_t value);

/// The longer side gets all of \p side; a very short one is not drawn to scale, lest it vanish.
MaskFrame frame_of(const Mask& mask, Point corner, double side);

/// Keys above the mask, queries on its left.
void draw_axes(Svg& svg, const MaskFrame& frame);

}  // namespace caesura::tools
