// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "plan_picture.hpp"

#include "axes.hpp"
#include "mask_drawing.hpp"
#include "numbers.hpp"
#include "rank_bars.hpp"
#include "rank_color.hpp"
#include "timeline_drawing.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <filesystem>
#include <numeric>

namespace caesura::tools {

namespace {

constexpr double page_width = 1320;
constexpr double left = 92;
constexpr double top = 164;
constexpr double mask_side = 540;
constexpr double bars_left = left + mask_side + 52;
constexpr double right_margin = 34;
constexpr std::size_t most_ranks = 64;

/// What each rank computes. Its own queries' pairs, except where queries travel.
std::vector<std::vector<BandSlice>> computed_slices(const solver::Plan& plan) {
  if (plan.options().exchange != solver::ExchangeKind::qo) return slices_by_rank(plan.mask(), plan.placement());
  std::vector<std::vector<BandSlice>> result;
  for (std::int32_t rank = 0; rank < plan.cluster().ranks; ++rank) {
    result.emplace_back();
    for (std::int32_t step = 0; step < plan.exchange().steps(); ++step) {
      const auto slices = plan.slices(rank, step);
      result.back().insert(result.back().end(), slices.begin(), slices.end());
    }
  }
  return result;
}

/// The queries and keys of \p shown.
void draw_computed(Svg& svg, const solver::Plan& plan, const RankColors& colors, const MaskFrame& frame, Range shown) {
  std::vector<PaintedSlice> painted;
  const auto by_rank = computed_slices(plan);
  for (std::size_t rank = 0; rank < by_rank.size(); ++rank) {
    const std::string_view color = colors[static_cast<std::int32_t>(rank)];
    for (const BandSlice& slice : by_rank[rank]) {
      const BandSlice part = slice.restricted(shown, shown).tight();
      if (!part.q().empty()) painted.push_back({part.shifted(-shown.begin, -shown.begin), color, color});
    }
  }
  draw_slices(svg, painted, frame);
}

/// What has the most pairs, enlarged, in the corner that the mask leaves empty.
void draw_zoom(Svg& svg, const solver::Plan& plan, const RankColors& colors, const MaskFrame& frame) {
  const std::int64_t total = frame.total_q;
  const auto slices = plan.mask().slices();
  if (frame.total_k != total || slices.empty()) return;
  if (plan.mask().restricted({0, total / 2}, {total / 2, total}).area() > 0) return;
  const BandSlice& most = *std::max_element(slices.begin(), slices.end(),
                                            [](const BandSlice& a, const BandSlice& b) { return a.area() < b.area(); });
  const Range tokens = {std::min(most.q_begin, most.k_begin), std::max(most.q_end, most.k_end)};
  if (tokens.size() > total / 2) return;
  constexpr double side = 212;
  const MaskFrame zoom = {.corner = {frame.corner.x + frame.width - side - 16, frame.corner.y + 32},
                          .width = side,
                          .height = side,
                          .total_q = tokens.size(),
                          .total_k = tokens.size()};
  svg.text({zoom.corner.x, zoom.corner.y - 8},
           text("zoom: tokens ", grouped(tokens.begin), " to ", grouped(tokens.end)), {.fill = gray});
  svg.rectangle(zoom.corner, side, side, "#ffffff");
  draw_computed(svg, plan, colors, zoom, tokens);
  svg.rectangle(zoom.corner, side, side, "none", "stroke=\"#9ca3af\"");
}

/// Who owns each token, as runs of half pixels: as small a file for any number of ranges.
template <class Draw>
void for_each_run(std::span<const solver::OwnedRange> owned, std::int64_t total, double length, const Draw& draw) {
  const auto samples = static_cast<std::int64_t>(2 * length);
  const auto owner_at = [&](std::int64_t sample) {
    const std::int64_t token = std::min(total - 1, (2 * sample + 1) * total / (2 * samples));
    const auto behind =
        std::upper_bound(owned.begin(), owned.end(), token,
                         [](std::int64_t at, const solver::OwnedRange& piece) { return at < piece.rows.begin; });
    return std::prev(behind)->rank;
  };
  for (std::int64_t begin = 0, end = 0; begin < samples; begin = end) {
    const std::int32_t rank = owner_at(begin);
    for (end = begin + 1; end < samples && owner_at(end) == rank; ++end) {
    }
    draw(static_cast<double>(begin) / 2, static_cast<double>(end - begin) / 2, rank);
  }
}

void draw_owners(Svg& svg, const solver::Placement& placement, const RankColors& colors, const MaskFrame& frame) {
  constexpr double thickness = 14;
  constexpr double away = 6;
  const double right = frame.corner.x + frame.width + away;
  const double bottom = frame.corner.y + frame.height + away;
  for_each_run(placement.queries(), frame.total_q, frame.height, [&](double at, double length, std::int32_t rank) {
    svg.rectangle({right, frame.corner.y + at}, thickness, length, colors[rank]);
  });
  for_each_run(placement.keys(), frame.total_k, frame.width, [&](double at, double length, std::int32_t rank) {
    svg.rectangle({frame.corner.x + at, bottom}, length, thickness, colors[rank]);
  });
  svg.text({frame.corner.x, bottom + thickness + 16}, "bars at the right and below: the rank that owns these tokens",
           {.size = 11, .fill = gray});
}

/// One sentence: who ends last, and why.
std::string verdict(const solver::Timeline& timeline) {
  const auto last = std::max_element(timeline.ranks.begin(), timeline.ranks.end(),
                                     [](const auto& a, const auto& b) { return a.end < b.end; });
  double busy = 0;
  for (const solver::RankTimeline& rank : timeline.ranks) busy += rank.end - waiting_seconds(rank);
  const double share =
      timeline.seconds > 0 ? busy / (timeline.seconds * static_cast<double>(timeline.ranks.size())) : 1;
  const double waited = waiting_seconds(*last);
  return text("Rank ", last - timeline.ranks.begin(), " ends last, at ", time_text(timeline.seconds),
              ", after waiting ", waited > 0.001 * timeline.seconds ? time_text(waited) + " for rows" : "for nothing",
              "; on average ranks compute ", formatted("%.1f", 100 * share), " % of the time.");
}

}  // namespace

std::vector<std::int32_t> slowest_ranks(const solver::Timeline& timeline, std::size_t most) {
  std::vector<std::int32_t> ranks(timeline.ranks.size());
  std::iota(ranks.begin(), ranks.end(), 0);
  if (ranks.size() <= most) return ranks;
  std::stable_sort(ranks.begin(), ranks.end(), [&](std::int32_t a, std::int32_t b) {
    return timeline.ranks[static_cast<std::size_t>(a)].end > timeline.ranks[static_cast<std::size_t>(b)].end;
  });
  ranks.resize(most);
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

std::string plan_picture(const MaskInput& input, const solver::Plan& plan, const solver::Timeline& timeline,
                         const solver::Timeline* measured) {
  const std::vector<std::int32_t> shown = slowest_ranks(timeline, most_ranks);
  const RankColors colors(plan.cluster().ranks);
  const MaskFrame frame = frame_of(plan.mask(), {left, top}, mask_side);
  const double upper_height = std::max(frame.height, std::min(mask_side, 40.0 * static_cast<double>(shown.size())));
  const double timeline_title = top + upper_height + 84;
  const double timeline_top = timeline_title + 64;
  const double measured_title = timeline_top + timeline_height(shown.size()) + 40;
  const double measured_top = measured_title + 64;
  Svg svg(page_width, (measured ? measured_top : timeline_top) + timeline_height(shown.size()) + 10);

  const std::string source = input.source == "--documents" ? "documents from the command line"
                                                           : std::filesystem::path(input.source).filename().string();
  svg.text({left - 56, 40},
           text(source, " on ", plan.cluster().ranks, plan.cluster().ranks == 1 ? " rank" : " ranks", ": ",
                name_of(plan.options().dispatch), " dispatch, ", name_of(plan.options().exchange), " exchange"),
           {.size = 21, .fill = dark, .bold = true});
  std::string facts = text(grouped(plan.mask().total_q()), " tokens");
  if (!input.documents.empty()) facts += text(" in ", grouped(std::int64_t(input.documents.size())), " documents");
  facts += text(", ", input.rule, "; ", short_text(static_cast<double>(plan.mask().area())), " visible pairs");
  if (shown.size() < timeline.ranks.size())
    facts += text("; bars and time line: the ", shown.size(), " ranks that end last");
  svg.text({left - 56, 64}, facts, {.size = 14});

  svg.text({left - 56, 106}, "Who computes what", {.size = 16, .fill = dark, .bold = true});
  svg.rectangle(frame.corner, frame.width, frame.height, "#fafafa");
  draw_computed(svg, plan, colors, frame, {0, std::max(frame.total_q, frame.total_k)});
  svg.rectangle(frame.corner, frame.width, frame.height, "none", "stroke=\"#9ca3af\"");
  draw_zoom(svg, plan, colors, frame);
  draw_axes(svg, frame);
  draw_owners(svg, plan.placement(), colors, frame);

  svg.text({bars_left, 106}, "How much, and what moves", {.size = 16, .fill = dark, .bold = true});
  draw_rank_bars(svg, plan, shown, colors, {bars_left, top}, page_width - right_margin - bars_left, upper_height);

  svg.text({left - 56, timeline_title}, measured ? "When, and who waits: predicted" : "When, and who waits",
           {.size = 16, .fill = dark, .bold = true});
  svg.text({left - 56, timeline_title + 22}, verdict(timeline), {.size = 13});
  draw_timeline(svg, timeline, shown, colors, {left - 56, timeline_top}, page_width - right_margin - left + 56 - 20);
  if (measured) {
    svg.text({left - 56, measured_title}, "Measured", {.size = 16, .fill = dark, .bold = true});
    svg.text({left - 56, measured_title + 22}, verdict(*measured), {.size = 13});
    draw_timeline(svg, *measured, shown, colors, {left - 56, measured_top}, page_width - right_margin - left + 56 - 20);
  }
  return svg.finish();
}

}  // namespace caesura::tools
