// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "mask_drawing.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <tuple>
#include <utility>

namespace caesura::tools {

namespace {

constexpr std::size_t most_polygons = 4000;
constexpr double smallest_polygon = 1.5;  // pixels, of the longer side
constexpr int opacity_steps = 8;

/// Corners of the slice, in tokens: pair (q, k) is the unit square [k, k + 1) x [q, q + 1). The band's edges run along
/// the diagonals through those squares' outer corners, so that the polygon's area is that of the visible pairs,
/// up to half a pair a row.
struct Corner {
  double key;
  double query;
};

/// Keeps the side where inside(corner) >= 0 (Sutherland & Hodgman 1974).
template <class Inside>
std::vector<Corner> clipped(const std::vector<Corner>& polygon, const Inside& inside) {
  std::vector<Corner> result;
  for (std::size_t i = 0; i < polygon.size(); ++i) {
    const Corner a = polygon[i];
    const Corner b = polygon[(i + 1) % polygon.size()];
    const double fa = inside(a);
    const double fb = inside(b);
    if (fa >= 0) result.push_back(a);
    if ((fa > 0 && fb < 0) || (fa < 0 && fb > 0)) {
      const double t = fa / (fa - fb);
      result.push_back({a.key + t * (b.key - a.key), a.query + t * (b.query - a.query)});
    }
  }
  return result;
}

std::vector<Corner> polygon_of(const BandSlice& slice) {
  const auto d = [](std::int64_t value) { return static_cast<double>(value); };
  std::vector<Corner> polygon = {{d(slice.k_begin), d(slice.q_begin)},
                                 {d(slice.k_end), d(slice.q_begin)},
                                 {d(slice.k_end), d(slice.q_end)},
                                 {d(slice.k_begin), d(slice.q_end)}};
  // The pair on the upper diagonal, k = q + hi, is half inside: the line k - q = hi + 1/2 in squares of size 1.
  polygon = clipped(polygon, [&](Corner c) { return d(slice.diagonal_hi) + 0.5 - (c.key - c.query); });
  return clipped(polygon, [&](Corner c) { return (c.key - c.query) - (d(slice.diagonal_lo) - 0.5); });
}

/// Row by row: exact where a token is several pixels wide.
std::string staircase_of(const BandSlice& slice, const MaskFrame& frame) {
  std::string left;
  std::string right;
  std::vector<std::string> back;
  for (std::int64_t query = slice.q_begin; query < slice.q_end; ++query) {
    const Range keys = slice.keys_of(query);
    const auto top = static_cast<double>(query);
    const std::string y0 = coordinate(frame.y(top));
    const std::string y1 = coordinate(frame.y(top + 1));
    const std::string x0 = coordinate(frame.x(static_cast<double>(keys.begin)));
    const std::string x1 = coordinate(frame.x(static_cast<double>(keys.end)));
    right += (right.empty() ? "M" : "L") + x1 + " " + y0 + "V" + y1;
    back.push_back("L" + x0 + " " + y1 + "V" + y0);
  }
  std::string result = right;
  for (auto part = back.rbegin(); part != back.rend(); ++part) result += *part;
  return result + "Z";
}

std::string path_of(const BandSlice& slice, const MaskFrame& frame) {
  const double token = std::min(frame.pixels_per_query(), frame.pixels_per_key());
  if (token >= 3) return staircase_of(slice, frame);
  std::string result;
  for (const Corner& corner : polygon_of(slice)) {
    result += (result.empty() ? "M" : "L") + coordinate(frame.x(corner.key)) + " " + coordinate(frame.y(corner.query));
  }
  return result.empty() ? result : result + "Z";
}

/// Square cells of a pixel (or of a token, where that is larger) with the share of visible pairs in each.
class Raster {
 public:
  Raster(const MaskFrame& frame)
      : frame_(frame),
        rows_(std::clamp<std::int64_t>(std::int64_t(frame.height), 1, frame.total_q)),
        columns_(std::clamp<std::int64_t>(std::int64_t(frame.width), 1, frame.total_k)) {}

  void add(const BandSlice& slice, std::string_view color) {
    for (std::int64_t row = slice.q_begin * rows_ / frame_.total_q; row < rows_ && begin_q(row) < slice.q_end; ++row) {
      for (std::int64_t column = slice.k_begin * columns_ / frame_.total_k;
           column < columns_ && begin_k(column) < slice.k_end; ++column) {
        const Range q = {begin_q(row), begin_q(row + 1)};
        const Range k = {begin_k(column), begin_k(column + 1)};
        const std::int64_t pairs = slice.restricted(q, k).area();
        if (pairs > 0)
          cells_[{color, row, column}] +=
              static_cast<double>(pairs) / (static_cast<double>(q.size()) * static_cast<double>(k.size()));
      }
    }
  }

  /// Cells side by side with the same color and opacity become one rectangle, all rectangles of these one path.
  void draw(Svg& svg) const {
    std::map<std::pair<std::string_view, int>, std::string> paths;
    for (auto cell = cells_.begin(); cell != cells_.end();) {
      const auto [color, row, first] = cell->first;
      const int step = step_of(cell->second);
      std::int64_t end = first;
      for (; cell != cells_.end() && cell->first == Cell(color, row, end) && step_of(cell->second) == step; ++cell)
        ++end;
      const double x0 = frame_.x(static_cast<double>(begin_k(first)));
      const double x1 = frame_.x(static_cast<double>(begin_k(end)));
      const double y0 = frame_.y(static_cast<double>(begin_q(row)));
      const double y1 = frame_.y(static_cast<double>(begin_q(row + 1)));
      paths[{color, step}] += "M" + coordinate(x0) + " " + coordinate(y0) + "H" + coordinate(x1) + "V" +
                              coordinate(y1) + "H" + coordinate(x0) + "Z";
    }
    for (const auto& [look, data] : paths) {
      // A faint cell still has to be seen.
      const double opacity = 0.35 + 0.65 * look.second / opacity_steps;
      svg.path(data, "fill=\"" + std::string(look.first) + "\" opacity=\"" + coordinate(opacity) + "\"");
    }
  }

 private:
  /// Color, row, column.
  using Cell = std::tuple<std::string_view, std::int64_t, std::int64_t>;

  static int step_of(double share) {
    return std::clamp(static_cast<int>(std::ceil(share * opacity_steps)), 1, opacity_steps);
  }
  std::int64_t begin_q(std::int64_t row) const { return (row * frame_.total_q + rows_ - 1) / rows_; }
  std::int64_t begin_k(std::int64_t column) const { return (column * frame_.total_k + columns_ - 1) / columns_; }

  MaskFrame frame_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::map<Cell, double> cells_;
};

/// The document that a slice belongs to; the slice itself where there are none.
std::int64_t owner_of(const MaskInput& input, std::size_t slice) {
  if (input.documents.empty()) return static_cast<std::int64_t>(slice);
  const std::int64_t query = input.mask.slices()[slice].q_begin;
  const auto next = std::upper_bound(input.documents.begin(), input.documents.end(), query,
                                     [](std::int64_t q, const Document& document) { return q < document.q.begin; });
  return next - input.documents.begin() - 1;
}

}  // namespace

std::string_view document_color(std::int64_t i) {
  // Neighbors must differ for everyone: blue and orange alternate, each in two shades.
  constexpr std::array<std::string_view, 4> colors = {"#2563a8", "#e08214", "#5b9bd5", "#b35806"};
  return colors[static_cast<std::size_t>(i % 4)];
}

std::vector<bool> draw_slices(Svg& svg, std::span<const PaintedSlice> slices, const MaskFrame& frame) {
  const auto longer_side = [&](const PaintedSlice& painted) {
    return std::max(static_cast<double>(painted.slice.q().size()) * frame.pixels_per_query(),
                    static_cast<double>(painted.slice.k().size()) * frame.pixels_per_key());
  };
  double least = smallest_polygon;
  if (slices.size() > most_polygons) {
    std::vector<double> sides(slices.size());
    std::transform(slices.begin(), slices.end(), sides.begin(), longer_side);
    std::nth_element(sides.begin(), sides.begin() + most_polygons, sides.end(), std::greater<>());
    least = std::max(least, sides[most_polygons]);
  }
  Raster raster(frame);
  std::map<std::string_view, std::string> paths;
  std::vector<bool> drawn;
  for (const PaintedSlice& painted : slices) {
    drawn.push_back(longer_side(painted) > least);
    if (drawn.back())
      paths[painted.color] += path_of(painted.slice, frame);
    else
      raster.add(painted.slice, painted.color_if_merged);
  }
  raster.draw(svg);
  // The thin stroke keeps bands visible that are narrower than a pixel.
  for (const auto& [color, data] : paths) {
    svg.path(data, "fill=\"" + std::string(color) + "\" stroke=\"" + std::string(color) + "\" stroke-width=\"0.4\"");
  }
  return drawn;
}

DrawnMask draw_mask(Svg& svg, const MaskInput& input, const MaskFrame& frame) {
  DrawnMask result;
  // Where a document lies, as far as it has a visible extent: the part of it that the mask hides stays visible as an outline.
  for (const Document& document : input.documents) {
    const double width = static_cast<double>(document.k.size()) * frame.pixels_per_key();
    const double height = static_cast<double>(document.q.size()) * frame.pixels_per_query();
    if (std::min(width, height) < 4) continue;
    ++result.outlined;
    svg.rectangle({frame.x(static_cast<double>(document.k.begin)), frame.y(static_cast<double>(document.q.begin))},
                  width, height, "#eef2f7", "stroke=\"#cbd5e1\" stroke-width=\"0.5\"");
  }

  const std::span<const BandSlice> slices = input.mask.slices();
  std::vector<PaintedSlice> painted;
  painted.reserve(slices.size());
  for (std::size_t i = 0; i < slices.size(); ++i)
    painted.push_back({slices[i], document_color(owner_of(input, i)), merged_color});
  const std::vector<bool> own_shape = draw_slices(svg, painted, frame);

  std::vector<bool> drawn(std::max<std::size_t>(input.documents.size(), slices.size()), false);
  std::vector<bool> merged(drawn.size(), false);
  for (std::size_t i = 0; i < slices.size(); ++i)
    (own_shape[i] ? drawn : merged)[static_cast<std::size_t>(owner_of(input, i))] = true;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    if (drawn[i])
      ++result.one_by_one;
    else if (merged[i])
      ++result.merged;
  }
  return result;
}

}  // namespace caesura::tools
