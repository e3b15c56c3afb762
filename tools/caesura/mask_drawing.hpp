// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_input.hpp"
#include "svg.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace caesura::tools {

/// Where the mask lies in the picture: queries downwards, keys to the right.
struct MaskFrame {
  Point corner;
  double width = 0;
  double height = 0;
  std::int64_t total_q = 1;
  std::int64_t total_k = 1;

  double x(double key) const { return corner.x + width * key / static_cast<double>(total_k); }
  double y(double query) const { return corner.y + height * query / static_cast<double>(total_q); }
  double pixels_per_query() const { return height / static_cast<double>(total_q); }
  double pixels_per_key() const { return width / static_cast<double>(total_k); }
};

/// The color of the i-th document (or slice): neighbors differ.
std::string_view document_color(std::int64_t i);
inline constexpr std::string_view merged_color = "#475569";

/// A slice and how to paint it.
struct PaintedSlice {
  BandSlice slice;
  std::string_view color;
  std::string_view color_if_merged;
};

/// Draws each slice as the polygon it is: a rectangle cut by two diagonals. Slices below 1.5 pixels, and all but
/// the largest if there are very many, are merged into pixels whose opacity is the share of visible pairs.
/// Returns for each whether it has a shape of its own.
std::vector<bool> draw_slices(Svg& svg, std::span<const PaintedSlice> slices, const MaskFrame& frame);

struct DrawnMask {
  std::int64_t one_by_one = 0;  ///< documents (or slices) with a shape of their own
  std::int64_t merged = 0;      ///< those too small for that, drawn together
  std::int64_t outlined = 0;    ///< documents with an outline
};

/// Draws the mask, its documents in different colors and outlined.
DrawnMask draw_mask(Svg& svg, const MaskInput& input, const MaskFrame& frame);

}  // namespace caesura::tools
