// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "construct.hpp"
#include "polish.hpp"
#include "strategies.hpp"

#include <cmath>
#include <optional>

namespace caesura::solver::impl {

namespace {

/// What dealings are compared by.
double seconds_of(const Deal& deal) {
  const Problem& problem = deal.problem();
  const double excess = std::max(0.0, deal.most_work() / deal.mean_work() - 1 - problem.tolerance());
  // Traffic that hides is not free: other things want the links too.
  const double hidden = 0.05 * deal.received() / problem.ranks() * problem.seconds_per_row();
  return deal.step_seconds() * (1 + 4 * excess) + hidden;
}

double most_received(const Deal& deal) {
  return *std::max_element(deal.traffic().received.begin(), deal.traffic().received.end());
}

void polish(Deal& deal) {
  const Problem& problem = deal.problem();
  deal.count_traffic();
  deal.measure_work();
  const double rows_per_pair = problem.seconds_per_pair() / problem.seconds_per_row();
  const double hidden_rows = deal.mean_work() * rows_per_pair;
  Polish search(deal);
  Polish::Rule rule = {
      .most_work = deal.mean_work() * (1 + problem.tolerance()), .free_rows = hidden_rows, .most_rows = HUGE_VAL};
  rule.moves = 3 * problem.ranks();
  search.level_work(rule);
  rule.moves = 2 * problem.ranks();
  rule.partners = 8;
  search.level_traffic(rule);
  rule.partners = 4;
  // Nobody sends much more than somebody receives, even where it hides.
  rule.free_rows = 1.15 * most_received(deal);
  rule.moves = problem.ranks();
  search.level_traffic(rule);
  // Where compute is what limits the step, the tolerance is not used up.
  deal.measure_work();
  const double slowest_traffic = deal.most_rows() / rows_per_pair;
  const auto a_little_less = [&] { return deal.mean_work() * (1 + 0.9 * problem.tolerance()); };
  rule.most_work = std::min(a_little_less(), std::max(slowest_traffic, 1.0001 * deal.mean_work()));
  rule.free_rows = rule.most_rows = std::max(deal.most_rows(), hidden_rows);
  rule.partners = 1;
  rule.moves = 2 * problem.ranks();
  search.level_work(rule);
  // Moves do not count what tiles cost. Measured anew, the tolerance is held, in the end at any price.
  for (int round = 0; round < 4; ++round) {
    deal.measure_work();
    if (deal.most_work() <= deal.mean_work() * (1 + problem.tolerance())) break;
    rule.most_work = a_little_less();
    if (round > 0) rule.most_rows = HUGE_VAL;
    rule.partners = 4;
    rule.moves = problem.ranks();
    search.level_work(rule);
  }
}

/// How many recipes are tried: what a few milliseconds allow.
std::vector<Recipe> recipes_for(const Problem& problem) {
  const Recipe all = {};
  const Recipe light = {.light = true};
  if (problem.ranks() > 96) return {light};
  if (problem.ranks() > 40) return {all};
  if (problem.ranks() > 16) return {all, light, {.headroom = 1, .light = true}};
  return {
      all, light, {.headroom = 0}, {.headroom = 1}, {.headroom = 0.25, .light = true}, {.headroom = 1, .light = true}};
}

}  // namespace

/// Groups of ranks for long components, middle ones cut as rarely as can be, short ones as filler (`construct`), then swaps that
/// level pairs and traffic (`Polish`); the best of several recipes. Regular masks have better forms that are tried too: consecutive
/// rows for equal documents and windows, the zig-zag for one causal document.
std::vector<OwnedRange> deal_balanced(const Problem& problem) {
  std::optional<Deal> best;
  double least = 0;
  const auto offer = [&](Deal deal) {
    const double cost = seconds_of(deal);
    if (!best || cost < least) least = cost, best.emplace(std::move(deal));
  };
  for (const Recipe& recipe : recipes_for(problem)) {
    Deal deal = construct(problem, recipe);
    polish(deal);
    offer(std::move(deal));
    if (problem.ranks() > 16 && best->step_seconds() < 1.002 * problem.seconds_per_pair() * best->mean_work()) break;
  }
  Deal contiguous = deal_as(problem, deal_contiguous(problem));
  if (contiguous.most_work() < 1.5 * contiguous.mean_work() || problem.ranks() <= 8) {
    polish(contiguous);
    offer(std::move(contiguous));
  }
  if (problem.components().size() <= 8) {
    Deal zig_zag = deal_as(problem, deal_head_tail(problem));
    polish(zig_zag);
    offer(std::move(zig_zag));
  }
  if (problem.ranks() <= 8) {
    Deal greedy =
        deal_as(problem, deal_lpt(problem, std::max<std::int64_t>(1, problem.total() / (8 * problem.ranks()))));
    polish(greedy);
    offer(std::move(greedy));
  }
  return best->owned();
}

}  // namespace caesura::solver::impl
