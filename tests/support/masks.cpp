// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/masks.hpp>
#include <support/random.hpp>

#include <algorithm>

namespace caesura::testing {
namespace {

using Lengths = std::vector<std::int64_t>;

/// F, C, I, B.
BandSlice typed_slice(char type, Range q, Range k) {
  switch (type) {
    case 'C': return BandSlice::causal(q, k);
    case 'I': return BandSlice::inverse_causal(q, k);
    case 'B': return BandSlice::bi_causal(q, k);
    default: return BandSlice::full(q, k);
  }
}

Mask typed(const std::vector<Range>& q, const std::vector<Range>& k, const std::string& types, std::int64_t divisor) {
  std::vector<BandSlice> slices;
  std::int64_t total_q = 0, total_k = 0;
  for (std::size_t i = 0; i < q.size(); ++i) {
    const Range rows = {q[i].begin / divisor, q[i].end / divisor}, keys = {k[i].begin / divisor, k[i].end / divisor};
    slices.push_back(typed_slice(types[i % types.size()], rows, keys));
    total_q = std::max(total_q, rows.end);
    total_k = std::max(total_k, keys.end);
  }
  return Mask::from_slices(total_q, total_k, slices);
}

/// [p0, p1), [p1, p2), ...
std::vector<Range> ranges(const Lengths& positions) {
  std::vector<Range> result;
  for (std::size_t i = 0; i + 1 < positions.size(); ++i) result.push_back({positions[i], positions[i + 1]});
  return result;
}

std::vector<Range> equal_ranges(std::int64_t size, std::int64_t count) {
  std::vector<Range> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back({i * size, (i + 1) * size});
  return result;
}

Mask checkered(std::int64_t total_q, std::int64_t total_k, std::int64_t block_q, std::int64_t block_k) {
  std::vector<std::uint8_t> visible;
  for (std::int64_t i = 0; i * block_q < total_q; ++i) {
    for (std::int64_t j = 0; j * block_k < total_k; ++j) visible.push_back((i * 5 + j * 3) % 4 < 2);
  }
  return Mask::from_blocks(total_q, total_k, block_q, block_k, visible);
}

}  // namespace

Mask random_rectangles(std::int64_t total_q, std::int64_t total_k, std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  struct Cell {
    Range q, k;
  };
  // Rectangles are cut in two until there are enough.
  std::vector<Cell> cells = {{{0, total_q}, {0, total_k}}};
  for (std::int64_t tries = 0; static_cast<std::int64_t>(cells.size()) < count && tries < 20 * count; ++tries) {
    const auto at = static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(cells.size()) - 1));
    Cell rest = cells[at];
    const bool along_q = random.chance(0.5);
    Range& range = along_q ? cells[at].q : cells[at].k;
    if (range.size() < 2) continue;
    const std::int64_t cut = random.integer(range.begin + 1, range.end - 1);
    (along_q ? rest.q : rest.k).begin = cut;
    range.end = cut;
    cells.push_back(rest);
  }
  std::vector<BandSlice> slices;
  for (const Cell& cell : cells) slices.push_back(typed_slice("FCIB"[random.integer(0, 3)], cell.q, cell.k));
  return Mask::from_slices(total_q, total_k, slices);
}

std::vector<NamedMask> kernel_masks() {
  const Documents self = Documents::from_lengths({60, 1, 47, 0, 33});
  const Documents cross = Documents::from_lengths(Lengths{40, 0, 63, 30, 9}, Lengths{70, 10, 31, 30, 0});
  const Documents one = Documents::from_lengths({150});
  const Documents many = Documents::from_lengths(Lengths(70, 2));
  const Documents padded = Documents::from_padded(Lengths{0, 40, 41, 41, 90}, Lengths{3, 50, 55, 60, 140});
  const std::vector<std::int32_t> rows = {0, 20, 48, 48, 0, 48, 48, 48, 0, 5, 5, 40};
  const Documents batch = Documents::from_batch(rows, 3, 48);
  const auto documents = [](const Documents& d, const DocumentMask& rule = {}) {
    return Mask::from_documents(d, rule);
  };
  std::vector<NamedMask> masks = {
      {"causal", documents(self)},
      {"causal_one_document", documents(one)},
      {"causal_short_documents", documents(many)},
      {"causal_cross", documents(cross)},
      {"causal_padded", documents(padded)},
      {"causal_batch", documents(batch)},
      {"full", documents(self, {.kind = MaskKind::full})},
      {"full_cross", documents(cross, {.kind = MaskKind::full})},
      {"top_left_cross", documents(cross, {.kind = MaskKind::causal_top_left})},
      {"inverse_cross", documents(cross, {.kind = MaskKind::inverse_causal})},
      {"bi_causal_cross", documents(cross, {.kind = MaskKind::bi_causal})},
      {"window", documents(one, {.window = {16, 0}})},
      {"window_of_itself", documents(self, {.window = {0, 0}})},
      {"window_both_sides_cross", documents(cross, {.kind = MaskKind::full, .window = {5, 9}})},
      {"chunk", documents(self, {.chunk = 16})},
      {"chunk_window_cross", documents(cross, {.window = {11, -1}, .chunk = 24})},
      {"chunk_full_padded", documents(padded, {.kind = MaskKind::full, .chunk = 7})},
      {"prefix_window", documents(one, {.window = {9, 0}, .prefix = 4})},
      {"prefix_chunk_cross", documents(cross, {.chunk = 10, .prefix = 3})},
      {"nothing", Mask::from_slices(130, 70, {})},
      {"one_pair", Mask::from_slices(140, 140, std::vector<BandSlice>{BandSlice::full({133, 134}, {130, 131})})},
      {"blocks", checkered(150, 140, 16, 24)},
      {"rectangles", random_rectangles(140, 133, 40, 7)},
      {"fringes",
       Mask::from_slices(140, 200,
                         std::vector<BandSlice>{
                             BandSlice::full({0, 140}, {0, 3}), {0, 140, 3, 200, 10, 20}, {0, 140, 3, 200, 50, 58}})},
  };
  for (NamedMask& published : published_masks(64)) masks.push_back(std::move(published));
  return masks;
}

std::vector<NamedMask> published_masks(std::int64_t divisor) {
  const auto full_6 = equal_ranges(2048, 6);
  const auto last = [](std::vector<Range> list, Range range) { return list.push_back(range), list; };
  std::vector<Range> assembled_q, assembled_k;
  for (const Range q : equal_ranges(512, 16)) {
    for (const Range k : equal_ranges(1024, 8)) {
      assembled_q.push_back(q);
      assembled_k.push_back(k);
    }
  }
  const auto steps_960 = ranges({0, 128, 256, 384, 512, 640, 768, 960});
  const auto steps_840 = ranges({0, 128, 256, 384, 512, 640, 768, 840});
  const auto to_step = [](const std::vector<Range>& steps) {
    const Lengths begins = {0, 0, 0, 0, 512, 512, 768};
    std::vector<Range> keys;
    for (std::size_t i = 0; i < steps.size(); ++i) keys.push_back({begins[i], steps[i].end});
    return keys;
  };
  const auto irregular = ranges({0, 366, 391, 471, 835, 984, 1005, 1017, 1020, 1023, 1024});
  const auto uneven = ranges({0, 2000, 4000, 6000, 8000, 9500, 11021});
  return {
      {"full_1k", typed({{0, 1024}}, {{0, 1024}}, "F", std::min<std::int64_t>(divisor, 8))},
      {"varlen_12k", typed(full_6, full_6, "F", divisor)},
      {"varlen_block_causal_15k",
       typed(last(full_6, {12288, 15360}),
             {{0, 2048}, {0, 4096}, {0, 6144}, {0, 8192}, {8192, 10240}, {8192, 12288}, {12288, 15360}}, "F", divisor)},
      {"block_causal_overlap_12k",
       typed({{0, 8192}, {2048, 8192}, {4096, 8192}, {6144, 8192}, {8192, 12288}, {10240, 12288}}, full_6, "F",
             divisor)},
      {"assembled_8k", typed(assembled_q, assembled_k, "F", divisor)},
      {"varlen_960", typed(steps_960, to_step(steps_960), "F", std::min<std::int64_t>(divisor, 8))},
      {"varlen_840", typed(steps_840, to_step(steps_840), "F", std::min<std::int64_t>(divisor, 8))},
      {"short_irregular_full", typed(irregular, irregular, "F", std::min<std::int64_t>(divisor, 5))},
      {"short_irregular_causal", typed(irregular, irregular, "C", std::min<std::int64_t>(divisor, 5))},
      {"uneven_11k",
       typed(uneven, {{0, 2000}, {0, 4000}, {0, 6000}, {0, 8000}, {8000, 9500}, {8000, 11021}}, "FCIBIC", divisor)},
  };
}

}  // namespace caesura::testing
