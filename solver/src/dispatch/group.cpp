// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "group.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace caesura::solver::impl {

namespace {

/// One round: strips for given sizes of the head slices.
GroupShape cut(const Ascending& component, std::int32_t ranks, std::int64_t head, const std::vector<double>& slices,
               const GroupRule& rule) {
  GroupShape shape;
  shape.heads.push_back(0);
  double sum = 0;
  for (std::int32_t i = 0; i < ranks; ++i) {
    sum += slices[static_cast<std::size_t>(i)];
    shape.heads.push_back(i + 1 == ranks ? head
                                         : std::clamp<std::int64_t>(std::llround(sum), shape.heads.back(), head));
  }
  const double level = component.excess(0, component.size(), rule.price) / ranks;
  std::int64_t end = component.size();
  shape.strips.push_back(end);
  std::int64_t capacity = rule.tokens * ranks;  // of the ranks that follow, less their slices
  for (std::int32_t i = 0; i < ranks; ++i) {
    const std::size_t s = static_cast<std::size_t>(i);
    const std::int64_t slice = shape.heads[s + 1] - shape.heads[s];
    capacity -= rule.tokens;
    const double room = level - component.excess(shape.heads[s], shape.heads[s + 1], rule.price);
    std::int64_t begin = i + 1 == ranks ? head : component.begin_of(end, room, rule.price);
    const std::int64_t later_slices = head - shape.heads[s + 1];
    begin = std::min(begin, head + std::max<std::int64_t>(0, capacity - later_slices));
    begin = std::clamp(std::max(begin, end - (rule.tokens - slice)), head, end);
    end = begin;
    shape.strips.push_back(end);
  }
  return shape;
}

std::vector<double> sends(const GroupShape& shape, bool prefix) {
  const std::size_t ranks = shape.strips.size() - 1;
  std::vector<double> result(ranks);
  for (std::size_t i = 0; i < ranks; ++i) {
    const double strip = static_cast<double>(shape.strips[i] - shape.strips[i + 1]);
    const double slice = static_cast<double>(shape.heads[i + 1] - shape.heads[i]);
    const double others = static_cast<double>(ranks - 1);
    result[i] = prefix ? strip * static_cast<double>(i) + slice * others : strip * others;
  }
  return result;
}

}  // namespace

GroupShape shape_group(const Ascending& component, bool prefix, std::int32_t ranks, const GroupRule& rule) {
  const std::size_t count = static_cast<std::size_t>(ranks);
  GroupShape best;
  double best_score = HUGE_VAL;
  for (const double share : {0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}) {
    if (!prefix && share > 0) break;
    const std::int64_t head = static_cast<std::int64_t>(share * static_cast<double>(component.size()));
    std::vector<double> slices(count, static_cast<double>(head) / ranks);
    const int rounds = head == 0 ? 1 : 10;
    for (int round = 0; round < rounds; ++round) {
      GroupShape shape = cut(component, ranks, head, slices, rule);
      const std::vector<double> sent = sends(shape, prefix);
      shape.most_sent = *std::max_element(sent.begin(), sent.end());
      shape.received =
          std::accumulate(shape.strips.begin(), shape.strips.end() - 1, 0.0) - static_cast<double>(component.size());
      const double own = static_cast<double>(shape.strips[0] - shape.strips[1] + shape.heads[1]);
      // What the densest strip receives, or a little more where that hides.
      const double most_received = static_cast<double>(component.size()) - own;
      const double limit = std::clamp(rule.send_limit, most_received, 1.15 * most_received);
      // What does not fit is dealt again elsewhere, at the price of another cut.
      const double left = static_cast<double>(shape.strips.back() - head);
      double uneven = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const double excess = component.excess(shape.strips[i + 1], shape.strips[i], rule.price) +
                              component.excess(shape.heads[i], shape.heads[i + 1], rule.price);
        uneven = std::max(uneven, excess * ranks / component.excess(0, component.size(), rule.price) - 1.002);
      }
      const double score = shape.received + 3 * ranks * std::max(0.0, shape.most_sent - limit) + 4 * left * ranks +
                           10 * uneven * ranks * static_cast<double>(component.size());
      if (score < best_score) {
        best_score = score;
        best = shape;
      }
      const double mean = std::accumulate(sent.begin(), sent.end(), 0.0) / ranks;
      double sum = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const double fits = static_cast<double>(rule.tokens - (shape.strips[i] - shape.strips[i + 1]));
        slices[i] = std::clamp(slices[i] + 0.6 * (mean - sent[i]) / std::max(1, ranks - 1), 0.0, std::max(0.0, fits));
        sum += slices[i];
      }
      if (sum > 0)
        for (double& slice : slices) slice *= static_cast<double>(head) / sum;
    }
  }
  return best;
}

}  // namespace caesura::solver::impl
