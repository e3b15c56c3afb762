// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "rank_bars.hpp"

#include "axes.hpp"
#include "numbers.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace caesura::tools {

namespace {

constexpr double label_width = 62;
constexpr double between = 18;
constexpr double number_width = 44;

struct Bars {
  std::string title;
  std::vector<double> values;  ///< of all ranks
};

std::vector<Bars> bars_of(const solver::Plan& plan) {
  std::vector<Bars> bars = {{"computes (pairs)", {}}, {"receives (rows)", {}}, {"sends (rows)", {}}};
  for (const solver::RankLoad& load : plan.loads()) {
    bars[0].values.push_back(load.work);
    bars[1].values.push_back(static_cast<double>(load.receive_rows));
    bars[2].values.push_back(static_cast<double>(load.send_rows));
  }
  return bars;
}

}  // namespace

void draw_rank_bars(Svg& svg, const solver::Plan& plan, std::span<const std::int32_t> ranks, const RankColors& colors,
                    Point corner, double width, double height) {
  const double row = height / static_cast<double>(ranks.size());
  const double thickness = std::min(row * 0.72, 26.0);
  const bool numbers = row >= 13;
  const auto y_of = [&](std::size_t i) { return corner.y + row * (static_cast<double>(i) + 0.5); };
  // Where rows are too thin for a name each, every fourth or eighth has one.
  const std::size_t every = row >= 12 ? 1 : row >= 6 ? 4 : 8;
  for (std::size_t i = 0; i < ranks.size(); i += every) {
    svg.text({corner.x + label_width - 8, y_of(i) + 4}, text("rank ", ranks[i]),
             {.size = 12, .anchor = Anchor::end, .fill = dark});
  }
  const double column = (width - label_width - 2 * between) / 3;
  double x = corner.x + label_width;
  for (const Bars& bars : bars_of(plan)) {
    double sum = 0;
    for (const double value : bars.values) sum += value;
    const double mean = sum / static_cast<double>(bars.values.size());
    const double most = *std::max_element(bars.values.begin(), bars.values.end());
    const double scale = most > 0 ? (column - (numbers ? number_width : 0)) / most : 0;
    svg.text({x, corner.y - 28}, bars.title, {.size = 13, .fill = dark, .bold = true});
    svg.text({x, corner.y - 10},
             most > 0 ? text("mean ", short_text(mean), ", max ", formatted("%.2f", most / mean), "x") : "none",
             {.size = 11, .fill = gray});
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const double value = bars.values[static_cast<std::size_t>(ranks[i])];
      svg.rectangle({x, y_of(i) - thickness / 2}, value * scale, thickness, colors[ranks[i]]);
    }
    svg.line({x, corner.y}, {x, corner.y + height}, "#9ca3af");
    if (most > 0) {
      svg.path(text("M", coordinate(x + mean * scale), " ", coordinate(corner.y), "V", coordinate(corner.y + height)),
               "stroke=\"#111827\" stroke-width=\"1.5\" stroke-dasharray=\"5 3\" fill=\"none\"");
    }
    for (std::size_t i = 0; numbers && i < ranks.size(); ++i) {
      const double value = bars.values[static_cast<std::size_t>(ranks[i])];
      const std::string number = short_text(value);
      // The line of the mean must not cross it.
      svg.rectangle({x + value * scale + 2, y_of(i) - 7}, 4 + 6.4 * static_cast<double>(number.size()), 14, "#ffffff");
      svg.text({x + value * scale + 4, y_of(i) + 4}, number, {.size = 11, .fill = gray});
    }
    x += column + between;
  }
  svg.text({corner.x + label_width, corner.y + height + 18}, "dashed: the mean of all ranks",
           {.size = 11, .fill = gray});
}

}  // namespace caesura::tools
