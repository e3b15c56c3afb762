// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "axes.hpp"

#include "numbers.hpp"

#include <algorithm>
#include <cmath>

namespace caesura::tools {

double tick_step(double total, int count) {
  const double raw = total / count;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

std::int64_t tick_step(std::int64_t total, int count) {
  return static_cast<std::int64_t>(tick_step(std::max(static_cast<double>(count), static_cast<double>(total)), count));
}

std::string tick_text(std::int64_t value) {
  if (value >= 1'000'000 && value % 100'000 == 0) return coordinate(static_cast<double>(value) / 1e6) + "M";
  if (value >= 10'000 && value % 100 == 0) return coordinate(static_cast<double>(value) / 1e3) + "k";
  return grouped(value);
}

MaskFrame frame_of(const Mask& mask, Point corner, double side) {
  const auto q = static_cast<double>(std::max<std::int64_t>(mask.total_q(), 1));
  const auto k = static_cast<double>(std::max<std::int64_t>(mask.total_k(), 1));
  return {.corner = corner,
          .width = std::max(side * std::min(1.0, k / q), side / 5),
          .height = std::max(side * std::min(1.0, q / k), side / 5),
          .total_q = std::max<std::int64_t>(mask.total_q(), 1),
          .total_k = std::max<std::int64_t>(mask.total_k(), 1)};
}

void draw_axes(Svg& svg, const MaskFrame& frame) {
  const auto [left, top] = frame.corner;
  const int columns = std::max(2, static_cast<int>(frame.width / 85));
  for (std::int64_t key = 0, step = tick_step(frame.total_k, columns); key <= frame.total_k; key += step) {
    const double x = frame.x(static_cast<double>(key));
    svg.line({x, top - 5}, {x, top}, gray);
    svg.text({x, top - 9}, tick_text(key), {.size = 11, .anchor = Anchor::middle, .fill = gray});
  }
  const int rows = std::max(2, static_cast<int>(frame.height / 85));
  for (std::int64_t query = 0, step = tick_step(frame.total_q, rows); query <= frame.total_q; query += step) {
    const double y = frame.y(static_cast<double>(query));
    svg.line({left - 5, y}, {left, y}, gray);
    svg.text({left - 9, y + 4}, tick_text(query), {.size = 11, .anchor = Anchor::end, .fill = gray});
  }
  svg.text({left + frame.width / 2, top - 28}, "keys (token) \u2192", {.anchor = Anchor::middle, .fill = dark});
  svg.text({left - 66, top + frame.height / 2}, "\u2190 queries (token)",
           {.anchor = Anchor::middle, .fill = dark, .rotate = -90});
}

}  // namespace caesura::tools
