// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "timeline_drawing.hpp"

#include "axes.hpp"
#include "numbers.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <string>

namespace caesura::tools {

namespace {

constexpr double label_width = 62;
constexpr double legend_height = 34;
constexpr std::string_view transfer_color = "#cbd5e1";
constexpr std::string_view waiting = "url(#waiting)";
constexpr std::string_view finished = "url(#finished)";

double row_height(std::size_t ranks) { return std::clamp(300.0 / static_cast<double>(ranks), 10.0, 38.0); }

/// What one rank's rows are drawn with.
struct Lanes {
  double left;
  double pixels_per_second;
  double top;
  double row;

  double x(double seconds) const { return left + seconds * pixels_per_second; }
  double transfer_height() const { return row * 0.34; }
  double compute_top() const { return top + row * 0.38; }
  double compute_height() const { return row * 0.46; }

  /// A box with its name inside, if there is room for it.
  void box(Svg& svg, double begin, double end, double y, double height, std::string_view fill, std::string_view words,
           std::int32_t index, std::string_view ink) const {
    const double room = x(end) - x(begin);
    if (room < 0.2) return;
    svg.rectangle({x(begin), y}, room, height, fill,
                  room > 3 && height > 3 ? "stroke=\"#ffffff\" stroke-width=\"0.6\"" : "");
    const double size = std::min(12.0, height * 0.82);
    if (size < 8) return;
    const std::string number = std::to_string(index);
    const std::string name = text(words, " ", number);
    const auto fits = [&](const std::string& label) {
      return room > 4 + 0.6 * size * static_cast<double>(label.size());
    };
    const std::string& label = fits(name) ? name : number;
    if (fits(label)) {
      svg.text({x(begin) + room / 2, y + height / 2 + 0.36 * size}, label,
               {.size = size, .anchor = Anchor::middle, .fill = ink});
    }
  }

  void gap(Svg& svg, double begin, double end, std::string_view fill) const {
    if (x(end) - x(begin) >= 0.5) svg.rectangle({x(begin), compute_top()}, x(end) - x(begin), compute_height(), fill);
  }
};

void draw_rank(Svg& svg, const solver::RankTimeline& rank, double seconds, std::string_view color, const Lanes& lanes) {
  for (const solver::Activity& transfer : rank.transfers) {
    lanes.box(svg, transfer.begin, transfer.end, lanes.top, lanes.transfer_height(), transfer_color, "stage",
              transfer.index, dark);
  }
  double at = 0;
  for (const solver::Activity& compute : rank.computes) {
    lanes.gap(svg, at, compute.begin, waiting);
    lanes.box(svg, compute.begin, compute.end, lanes.compute_top(), lanes.compute_height(), color, "step",
              compute.index, ink_on(color));
    at = std::max(at, compute.end);
  }
  lanes.gap(svg, at, rank.end, waiting);
  lanes.gap(svg, std::max(at, rank.end), seconds, finished);
}

void draw_legend(Svg& svg, Point at) {
  const auto entry = [&](std::string_view fill, const std::string& words) {
    svg.rectangle({at.x, at.y - 10}, 22, 12, fill, "stroke=\"#9ca3af\" stroke-width=\"0.5\"");
    svg.text({at.x + 28, at.y}, words);
    at.x += 28 + 6.6 * static_cast<double>(words.size()) + 22;
  };
  entry(transfer_color, "rows of a stage on their way");
  entry("#4e79a7", "step i computes (stage i - 1 has come)");
  entry(waiting, "waits for rows");
  entry(finished, "done, others are not");
}

}  // namespace

double waiting_seconds(const solver::RankTimeline& rank) {
  double busy = 0;
  for (const solver::Activity& compute : rank.computes) busy += compute.end - compute.begin;
  return std::max(0.0, rank.end - busy);
}

double timeline_height(std::size_t ranks) {
  return row_height(ranks) * static_cast<double>(ranks) + legend_height + 24;
}

void draw_timeline(Svg& svg, const solver::Timeline& timeline, std::span<const std::int32_t> ranks,
                   const RankColors& colors, Point corner, double width) {
  svg.hatch("waiting", "#fee2e2", "#dc2626");
  svg.hatch("finished", "#f9fafb", "#d1d5db");
  const double left = corner.x + label_width;
  const double row = row_height(ranks.size());
  const double bottom = corner.y + row * static_cast<double>(ranks.size());
  const double scale = timeline.seconds > 0 ? (width - label_width) / timeline.seconds : 0;
  for (double at = 0, step = tick_step(std::max(timeline.seconds, 1e-12), 10); at <= timeline.seconds * 1.0001;
       at += step) {
    const double x = left + at * scale;
    svg.line({x, corner.y - 4}, {x, bottom}, "#e5e7eb");
    svg.text({x, corner.y - 8}, at == 0 ? "0" : time_text(at), {.size = 11, .anchor = Anchor::middle, .fill = gray});
  }
  const std::size_t every = row >= 12 ? 1 : 4;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const Lanes lanes = {left, scale, corner.y + row * static_cast<double>(i) + row * 0.08, row};
    draw_rank(svg, timeline.ranks[static_cast<std::size_t>(ranks[i])], timeline.seconds, colors[ranks[i]], lanes);
    if (i % every == 0) {
      svg.text({left - 8, lanes.top + row * 0.42 + 4}, text("rank ", ranks[i]),
               {.size = 12, .anchor = Anchor::end, .fill = dark});
    }
  }
  draw_legend(svg, {left, bottom + legend_height});
}

}  // namespace caesura::tools
