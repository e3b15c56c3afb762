// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "group.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace caesura::solver::impl {

namespace {

double sparse_part(const Ascending& component, std::int64_t begin, std::int64_t end, double price) {
  return begin < end ? component.excess(begin, end, price) : 0;
}

/// The most rows, up to \p most, that leave something: \p left falls by about as much from row to row. Secants between two bounds that
/// close in, from \p guess on.
template <class Left>
std::int64_t most_rows(std::int64_t most, std::int64_t guess, const Left& left) {
  std::int64_t low = 0;
  std::int64_t high = most + 1;
  std::int64_t last = 0;
  double left_last = left(0);
  while (high - low > 1) {
    guess = std::clamp(guess, low + 1, high - 1);
    const double now = left(guess);
    now >= 0 ? low = guess : high = guess;
    const double slope = (left_last - now) / static_cast<double>(guess - last);
    last = guess;
    left_last = now;
    const double step = slope > 0 ? now / slope : 0;
    // Where secants fail, halves.
    guess = slope > 0 ? last + static_cast<std::int64_t>(std::clamp(std::floor(step), -0x1p60, 0x1p60))
                      : low + (high - low) / 2;
    if (guess == last) guess = now >= 0 ? last + 1 : last - 1;
  }
  return low;
}

/// Strips and slices for given sends: ranks from \p first on take as much of the sparse end as they may send, at most \p limit;
/// those before it take none. A fraction in between takes its part of that.
GroupShape cut(const Ascending& component, bool prefix, std::int32_t ranks, const GroupRule& rule, double first) {
  // Beside what the ranks have already, everybody gets up to the same level.
  const double level =
      (component.excess(0, component.size(), rule.price) + std::accumulate(rule.loads.begin(), rule.loads.end(), 0.0)) /
      ranks;
  std::int64_t later_tokens = std::accumulate(rule.tokens.begin(), rule.tokens.end(), std::int64_t{0});
  const double others = std::max(1, ranks - 1);
  GroupShape shape;
  shape.heads.reserve(static_cast<std::size_t>(ranks) + 1);
  shape.strips.reserve(static_cast<std::size_t>(ranks) + 1);
  shape.heads.push_back(0);
  shape.strips.push_back(component.size());
  double most_excess = 0;
  std::int64_t hint = component.size() / ranks;
  for (std::int32_t i = 0; i < ranks; ++i) {
    const std::int64_t head = shape.heads.back();
    const std::int64_t end = shape.strips.back();
    const std::int64_t tokens = rule.tokens[static_cast<std::size_t>(i)];
    const double load = rule.loads[static_cast<std::size_t>(i)];
    const std::int64_t most = std::min(tokens, end - head);
    // What the ranks that follow cannot own.
    later_tokens -= tokens;
    const std::int64_t least = std::min(most, end - head - later_tokens);
    const double part = std::clamp(i + 1 - first, 0.0, 1.0);
    const auto slice_beside = [&](std::int64_t strip) {
      const double may_send = part * std::max(0.0, rule.send_limit - static_cast<double>(strip) * i) / others;
      return std::min(static_cast<std::int64_t>(may_send), most - strip);
    };
    std::int64_t strip = most;
    std::int64_t slice = 0;
    if (i + 1 < ranks && part == 0) {
      strip = std::max(least, std::min(most, end - component.begin_of(end, level - load, rule.price)));
    } else if (i + 1 < ranks) {
      strip = most_rows(strip, hint, [&](std::int64_t rows) {
        return level - load - sparse_part(component, end - rows, end, rule.price) -
               sparse_part(component, head, head + slice_beside(rows), rule.price);
      });
      hint = strip;
      slice = slice_beside(strip);
      strip = std::max(strip, std::min(least, most) - slice);
    }
    const double sent =
        static_cast<double>(strip) * (prefix && i + 1 < ranks ? i : others) + static_cast<double>(slice) * others;
    shape.most_sent = std::max(shape.most_sent, sent);
    shape.heads.push_back(head + slice);
    shape.strips.push_back(end - strip);
    most_excess = std::max(most_excess, load + sparse_part(component, end - strip, end, rule.price) +
                                            sparse_part(component, head, head + slice, rule.price));
    shape.received += static_cast<double>(end);
  }
  shape.received -= static_cast<double>(component.size());
  shape.uneven = level > 0 ? most_excess / level - 1 : 0;
  return shape;
}

}  // namespace

GroupShape shape_group(const Ascending& component, bool prefix, std::int32_t ranks, const GroupRule& rule) {
  GroupShape best;
  double best_score = HUGE_VAL;
  double best_first = 0;
  const auto offer = [&](double first) {
    GroupShape shape = cut(component, prefix, ranks, rule, first);
    // What does not fit is dealt again elsewhere, at the price of another cut.
    const double left = static_cast<double>(shape.strips.back() - shape.heads.back());
    const double score = shape.received + 3 * ranks * std::max(0.0, shape.most_sent - rule.send_limit) +
                         4 * left * ranks +
                         10 * std::max(0.0, shape.uneven - 0.002) * ranks * static_cast<double>(component.size());
    if (score < best_score) {
      best_score = score;
      best_first = first;
      best = std::move(shape);
    }
  };
  offer(ranks);
  if (!prefix || ranks == 1) return best;
  // As few ranks with slices as the limit allows, the last ones first: a slice pushes the strips of all later ranks down.
  double step = ranks / 8.0;
  for (int i = 0; i < 8; ++i) offer(i * step);
  while (step > 0.03) {
    step /= 2;
    const double center = best_first;
    for (const double first : {center - step, center + step})
      if (first >= 0 && first < ranks) offer(first);
  }
  return best;
}

}  // namespace caesura::solver::impl
