// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace caesura::tools {

/// One color for each rank: ten that everyone tells apart, more from the color wheel so that neighbors differ.
class RankColors {
 public:
  explicit RankColors(std::int32_t ranks);
  std::string_view operator[](std::int32_t rank) const { return colors_[static_cast<std::size_t>(rank)]; }

 private:
  std::vector<std::string> colors_;
};

/// Black or white, whichever reads better on \p color ("#rrggbb").
std::string_view ink_on(std::string_view color);

}  // namespace caesura::tools
