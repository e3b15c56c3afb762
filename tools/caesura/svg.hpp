// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace caesura::tools {

/// A point of the picture in pixels.
struct Point {
  double x = 0;
  double y = 0;
};

enum class Anchor { start, middle, end };

struct TextStyle {
  double size = 12;
  Anchor anchor = Anchor::start;
  std::string_view fill = "#374151";
  bool bold = false;
  double rotate = 0;  ///< degrees, about its position
};

/// Builds an SVG text; coordinates are written with two decimals at most.
class Svg {
 public:
  Svg(double width, double height);

  void rectangle(Point corner, double width, double height, std::string_view fill, std::string_view extra = "");
  void line(Point from, Point to, std::string_view stroke, double width = 1);
  void text(Point at, std::string_view content, const TextStyle& style = {});
  /// Makes `url(#id)` a fill of slanted lines.
  void hatch(std::string_view id, std::string_view background, std::string_view lines);
  void open_group(std::string_view attributes);
  void close_group();
  /// One `<path>` with attributes; \p data as in SVG's `d`.
  void path(std::string_view data, std::string_view attributes);

  /// The whole document.
  std::string finish();

 private:
  std::ostringstream out_;
};

/// At most two decimals, no trailing zeros.
std::string coordinate(double value);

}  // namespace caesura::tools
