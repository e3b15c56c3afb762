// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "rank_color.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace caesura::tools {

namespace {

// Tableau 10, Stone 2016.
constexpr std::array<std::string_view, 10> few = {"#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2",
                                                  "#b07aa1", "#edc948", "#9c755f", "#ff9da7", "#7f7f7f"};

/// Hue in turns, saturation and lightness from 0 to 1.
std::string from_wheel(double hue, double saturation, double lightness) {
  const auto channel = [&](double offset) {
    const double k = std::fmod(offset + hue * 12, 12);
    const double chroma = saturation * std::min(lightness, 1 - lightness);
    return static_cast<int>(std::lround(255 * (lightness - chroma * std::max(-1.0, std::min({k - 3, 9 - k, 1.0})))));
  };
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "#%02x%02x%02x", static_cast<unsigned>(channel(0)) & 255u,
                static_cast<unsigned>(channel(8)) & 255u, static_cast<unsigned>(channel(4)) & 255u);
  return text.data();
}

}  // namespace

RankColors::RankColors(std::int32_t ranks) {
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    if (ranks <= static_cast<std::int32_t>(few.size())) {
      colors_.emplace_back(few[static_cast<std::size_t>(rank)]);
    } else {
      // Steps of the golden angle never come near each other soon; three shades in turn.
      colors_.push_back(from_wheel(std::fmod(rank * 0.61803398875, 1.0), 0.55, 0.42 + 0.12 * (rank % 3)));
    }
  }
}

std::string_view ink_on(std::string_view color) {
  const auto channel = [&](std::size_t at) {
    int value = 0;
    std::from_chars(color.data() + at, color.data() + at + 2, value, 16);
    return value;
  };
  // Luma of ITU-R BT.601.
  return 0.299 * channel(1) + 0.587 * channel(3) + 0.114 * channel(5) > 165 ? "#111827" : "#ffffff";
}

}  // namespace caesura::tools
