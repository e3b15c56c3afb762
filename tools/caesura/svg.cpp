// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "svg.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace caesura::tools {

namespace {
std::string escaped(std::string_view content) {
  std::string result;
  for (const char c : content) {
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (static_cast<unsigned char>(c) >= ' ')
      result += c;
  }
  return result;
}
}  // namespace

std::string coordinate(double value) {
  const double rounded = std::round(value * 100) / 100;
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.6g", rounded == 0 ? 0.0 : rounded);
  return buffer.data();
}

Svg::Svg(double width, double height) {
  const std::string w = coordinate(width);
  const std::string h = coordinate(height);
  out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << w << "\" height=\"" << h << "\" viewBox=\"0 0 " << w
       << ' ' << h << "\" font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n";
  rectangle({0, 0}, width, height, "#ffffff");
}

void Svg::rectangle(Point corner, double width, double height, std::string_view fill, std::string_view extra) {
  out_ << "<rect x=\"" << coordinate(corner.x) << "\" y=\"" << coordinate(corner.y) << "\" width=\""
       << coordinate(width) << "\" height=\"" << coordinate(height) << "\" fill=\"" << fill << '"'
       << (extra.empty() ? "" : " ") << extra << "/>\n";
}

void Svg::line(Point from, Point to, std::string_view stroke, double width) {
  out_ << "<line x1=\"" << coordinate(from.x) << "\" y1=\"" << coordinate(from.y) << "\" x2=\"" << coordinate(to.x)
       << "\" y2=\"" << coordinate(to.y) << "\" stroke=\"" << stroke << "\" stroke-width=\"" << coordinate(width)
       << "\"/>\n";
}

void Svg::text(Point at, std::string_view content, const TextStyle& style) {
  constexpr std::array anchors = {"start", "middle", "end"};
  out_ << "<text x=\"" << coordinate(at.x) << "\" y=\"" << coordinate(at.y) << "\" font-size=\""
       << coordinate(style.size) << "\" fill=\"" << style.fill << "\" text-anchor=\""
       << anchors[static_cast<std::size_t>(style.anchor)] << '"';
  if (style.bold) out_ << " font-weight=\"bold\"";
  if (style.rotate != 0) {
    out_ << " transform=\"rotate(" << coordinate(style.rotate) << ' ' << coordinate(at.x) << ' ' << coordinate(at.y)
         << ")\"";
  }
  out_ << '>' << escaped(content) << "</text>\n";
}

void Svg::hatch(std::string_view id, std::string_view background, std::string_view lines) {
  out_ << "<defs><pattern id=\"" << id
       << "\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect "
          "width=\"6\" "
          "height=\"6\" fill=\""
       << background << "\"/><rect width=\"2\" height=\"6\" fill=\"" << lines << "\"/></pattern></defs>\n";
}

void Svg::open_group(std::string_view attributes) { out_ << "<g " << attributes << ">\n"; }
void Svg::close_group() { out_ << "</g>\n"; }

void Svg::path(std::string_view data, std::string_view attributes) {
  out_ << "<path d=\"" << data << "\" " << attributes << "/>\n";
}

std::string Svg::finish() {
  out_ << "</svg>\n";
  return out_.str();
}

}  // namespace caesura::tools
