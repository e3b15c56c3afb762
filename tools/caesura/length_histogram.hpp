// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_input.hpp"
#include "svg.hpp"

namespace caesura::tools {

inline constexpr double histogram_width = 420;
double histogram_height(const MaskInput& input);

/// Documents by length, in powers of two: how many there are, and their shares of all tokens and of all visible pairs.
void draw_histogram(Svg& svg, const MaskInput& input, Point corner);

}  // namespace caesura::tools
