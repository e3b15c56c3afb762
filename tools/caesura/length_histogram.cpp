// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "length_histogram.hpp"

#include "numbers.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace caesura::tools {

namespace {

constexpr double row_height = 30;
constexpr double label_width = 126;
constexpr double count_width = 80;
constexpr double bar_width = histogram_width - label_width - count_width - 52;
constexpr std::string_view tokens_color = "#0f766e";
constexpr std::string_view pairs_color = "#be185d";

struct Bin {
  std::int64_t documents = 0;
  std::int64_t tokens = 0;
  std::int64_t pairs = 0;
};

/// Bin 0: empty documents; bin b: lengths [2^(b - 1), 2^b).
std::size_t bin_of(const Document& document) {
  return static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(document.k.size())));
}

std::string label_of(std::size_t bin) {
  if (bin <= 1) return text(bin);
  const std::int64_t least = std::int64_t{1} << (bin - 1);
  return text(grouped(least), "\u2013", grouped(2 * least - 1));
}

std::vector<Bin> bins_of(const MaskInput& input) {
  std::vector<Bin> bins;
  std::size_t slice = 0;
  const auto slices = input.mask.slices();
  for (const Document& document : input.documents) {
    const std::size_t bin = bin_of(document);
    if (bin >= bins.size()) bins.resize(bin + 1);
    ++bins[bin].documents;
    bins[bin].tokens += document.k.size();
    // Slices are ordered by their first query, as documents are.
    for (; slice < slices.size() && slices[slice].q_begin < document.q.end; ++slice)
      bins[bin].pairs += slices[slice].area();
  }
  return bins;
}

std::pair<std::size_t, std::size_t> used_bins(const std::vector<Bin>& bins) {
  const auto used = [](const Bin& bin) { return bin.documents > 0; };
  const auto first = std::find_if(bins.begin(), bins.end(), used);
  return {static_cast<std::size_t>(first - bins.begin()), bins.size()};
}

}  // namespace

double histogram_height(const MaskInput& input) {
  const auto [first, last] = used_bins(bins_of(input));
  return 62 + row_height * static_cast<double>(last - first);
}

void draw_histogram(Svg& svg, const MaskInput& input, Point corner) {
  const std::vector<Bin> bins = bins_of(input);
  Bin total;
  for (const Bin& bin : bins) {
    total.tokens += bin.tokens;
    total.pairs += bin.pairs;
  }
  svg.text({corner.x, corner.y - 28}, "Documents by length", {.size = 14, .fill = "#111827", .bold = true});
  const double counts = corner.x + label_width + count_width;
  const double bars = counts + 14;
  const TextStyle head = {.size = 11, .anchor = Anchor::end, .fill = "#6b7280"};
  svg.text({corner.x + label_width, corner.y - 6}, "tokens", head);
  svg.text({counts, corner.y - 6}, "documents", head);
  svg.rectangle({bars, corner.y - 15}, 10, 10, tokens_color);
  svg.text({bars + 14, corner.y - 6}, "share of tokens", {.size = 11});
  svg.rectangle({bars + 106, corner.y - 15}, 10, 10, pairs_color);
  svg.text({bars + 120, corner.y - 6}, "of work (pairs)", {.size = 11});

  const auto [first, last] = used_bins(bins);
  double y = corner.y + 6;
  for (std::size_t i = first; i < last; ++i, y += row_height) {
    const Bin& bin = bins[i];
    svg.text({corner.x + label_width, y + 15}, label_of(i), {.anchor = Anchor::end});
    svg.text({counts, y + 15}, bin.documents > 0 ? grouped(bin.documents) : "\u2013", {.anchor = Anchor::end});
    if (bin.documents == 0) continue;
    const auto bar = [&](double offset, std::int64_t part, std::int64_t all, std::string_view color) {
      const double share = all > 0 ? static_cast<double>(part) / static_cast<double>(all) : 0;
      const double width = std::max(0.75, bar_width * share);
      svg.rectangle({bars, y + offset}, width, 9, color);
      svg.text({bars + width + 4, y + offset + 8.5}, percent_text(share), {.size = 10, .fill = "#6b7280"});
    };
    bar(0.5, bin.tokens, total.tokens, tokens_color);
    bar(11.5, bin.pairs, total.pairs, pairs_color);
  }
  svg.line({bars, corner.y + 2}, {bars, y - 2}, "#9ca3af");
}

}  // namespace caesura::tools
