// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "picture.hpp"

#include "axes.hpp"
#include "length_histogram.hpp"
#include "mask_drawing.hpp"
#include "numbers.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <filesystem>

namespace caesura::tools {

namespace {

constexpr double mask_side = 600;
constexpr double left = 92;
constexpr double top = 124;

/// The first \p tokens queries and keys as a mask of their own.
MaskInput head_of(const MaskInput& input, std::int64_t tokens) {
  const Range head = {0, tokens};
  MaskInput result = {.mask = input.mask.restricted(head, head).shifted(0, 0, tokens, tokens),
                      .source = input.source,
                      .rule = input.rule};
  for (const Document& document : input.documents) {
    if (document.q.begin >= tokens && document.k.begin >= tokens) break;
    result.documents.push_back({intersect(document.q, head), intersect(document.k, head)});
  }
  return result;
}

/// Where documents are dots in a large pack: a dozen of them enlarged, in the corner that the mask leaves empty.
void draw_zoom(Svg& svg, const MaskInput& input, const MaskFrame& frame) {
  const std::int64_t total = frame.total_q;
  const auto count = static_cast<std::int64_t>(input.documents.size());
  if (frame.total_k != total || count < 100) return;
  const std::int64_t tokens = tick_step(12 * (total / count), 1);
  const bool corner_is_empty = input.mask.restricted({0, total / 2}, {total / 2, total}).area() == 0;
  if (tokens > total / 8 || !corner_is_empty) return;
  constexpr double side = 236;
  const MaskFrame zoom = {.corner = {frame.corner.x + frame.width - side - 16, frame.corner.y + 32},
                          .width = side,
                          .height = side,
                          .total_q = tokens,
                          .total_k = tokens};
  svg.text({zoom.corner.x, zoom.corner.y - 8}, text("zoom: the first ", grouped(tokens), " tokens"), {.fill = gray});
  svg.rectangle(zoom.corner, side, side, "#ffffff");
  draw_mask(svg, head_of(input, tokens), zoom);
  svg.rectangle(zoom.corner, side, side, "none", "stroke=\"#9ca3af\"");
}

/// The pack as a bar under the mask: one segment a document, as long as it is.
void draw_pack(Svg& svg, const MaskInput& input, const MaskFrame& frame, double y) {
  constexpr double height = 20;
  svg.rectangle({frame.corner.x, y}, frame.width, height, "#f3f4f6");
  // Documents below a pixel together are one gray segment.
  double gray_begin = -1;
  double gray_end = -1;
  const auto end_gray = [&] {
    if (gray_begin >= 0) svg.rectangle({gray_begin, y}, std::max(0.5, gray_end - gray_begin), height, merged_color);
    gray_begin = -1;
  };
  for (std::size_t i = 0; i < input.documents.size(); ++i) {
    const Range keys = input.documents[i].k;
    if (keys.empty()) continue;
    const double x0 = frame.x(static_cast<double>(keys.begin));
    const double x1 = frame.x(static_cast<double>(keys.end));
    if (x1 - x0 < 1) {
      if (gray_begin < 0) gray_begin = x0;
      gray_end = x1;
      continue;
    }
    end_gray();
    svg.rectangle({x0, y}, x1 - x0, height, document_color(static_cast<std::int64_t>(i)));
    const std::string label = grouped(keys.size());
    if (x1 - x0 > 8 + 6.5 * static_cast<double>(label.size())) {
      svg.text({(x0 + x1) / 2, y + 14}, label, {.size = 11, .anchor = Anchor::middle, .fill = "#ffffff"});
    }
  }
  end_gray();
  svg.text({frame.corner.x, y + height + 16}, "the pack: one segment a document, its length in tokens", {.fill = gray});
}

void draw_legend(Svg& svg, const MaskInput& input, const DrawnMask& drawn, double y) {
  const std::string unit = input.documents.empty() ? "slice" : "document";
  double x = left;
  const auto entry = [&](const std::string& words, auto... colors) {
    double swatch = x;
    ((svg.rectangle({swatch, y - 10}, 12, 12, colors), swatch += 14), ...);
    svg.text({swatch + 4, y}, words);
    x = left;
    y += 20;
  };
  if (drawn.one_by_one > 0) {
    entry(text("visible: this query sees this key; colors tell ", unit, "s apart (", grouped(drawn.one_by_one), " ",
               unit, drawn.one_by_one == 1 ? "" : "s", ")"),
          document_color(0), document_color(1), document_color(2), document_color(3));
  }
  if (drawn.merged > 0) {
    entry(text(grouped(drawn.merged), " ", unit, drawn.merged == 1 ? "" : "s",
               " too small for a shape of their own, drawn together: darker = more pairs visible"),
          merged_color);
  }
  if (drawn.outlined > 0) entry("hidden, inside a document", "#e2e8f0");
}

}  // namespace

std::string mask_picture(const MaskInput& input) {
  const MaskFrame frame = frame_of(input.mask, {left, top}, mask_side);
  const bool has_documents = !input.documents.empty();
  const double bottom = top + frame.height;
  const double panel = left + std::max(frame.width, 420.0) + 56;
  const double width = has_documents ? panel + histogram_width + 30 : std::max(left + frame.width + 40, 560.0);
  const double needed = bottom + (has_documents ? 150 : 80);
  Svg svg(width, has_documents ? std::max(needed, top + histogram_height(input) + 40) : needed);

  const std::string source = input.source == "--documents" ? "documents from the command line"
                                                           : std::filesystem::path(input.source).filename().string();
  svg.text({left, 36}, text(source, ": ", input.rule), {.size = 20, .fill = dark, .bold = true});
  const std::int64_t area = input.mask.area();
  const double pairs = static_cast<double>(input.mask.total_q()) * static_cast<double>(input.mask.total_k());
  const std::string tokens =
      input.mask.total_q() == input.mask.total_k()
          ? text(grouped(input.mask.total_q()), " tokens")
          : text(grouped(input.mask.total_q()), " queries, ", grouped(input.mask.total_k()), " keys");
  const std::string parts = has_documents ? text(" in ", grouped(std::int64_t(input.documents.size())),
                                                 input.documents.size() == 1 ? " document" : " documents")
                                          : text(" in ", grouped(std::int64_t(input.mask.slices().size())),
                                                 input.mask.slices().size() == 1 ? " slice" : " slices");
  svg.text({left, 60},
           text(tokens, parts, "; ", grouped(area), " visible pairs, ",
                percent_text(pairs > 0 ? static_cast<double>(area) / pairs : 0), " of all"),
           {.size = 14});

  svg.rectangle(frame.corner, frame.width, frame.height, "#fafafa");
  const DrawnMask drawn = draw_mask(svg, input, frame);
  svg.rectangle(frame.corner, frame.width, frame.height, "none", "stroke=\"#9ca3af\"");
  draw_zoom(svg, input, frame);
  draw_axes(svg, frame);
  if (has_documents) {
    draw_pack(svg, input, frame, bottom + 14);
    draw_histogram(svg, input, {panel, top});
  }
  draw_legend(svg, input, drawn, bottom + (has_documents ? 80 : 30));
  return svg.finish();
}

}  // namespace caesura::tools
