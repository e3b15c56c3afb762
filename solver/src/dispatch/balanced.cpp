// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "construct.hpp"
#include "polish.hpp"
#include "strategies.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace caesura::solver::impl {

namespace {

/// Nobody should send much more than somebody receives, even where it hides.
constexpr double most_sent_share = 1.2;
/// Up to so many there is time to try many settings.
constexpr std::int32_t few_ranks = 16;
/// With more, one setting takes all the time there is.
constexpr std::int32_t many_ranks = 512;

double most_received(const Deal& deal) {
  return *std::max_element(deal.traffic().received.begin(), deal.traffic().received.end());
}

double most_sent(const Deal& deal) { return *std::max_element(deal.traffic().sent.begin(), deal.traffic().sent.end()); }

/// What dealings are compared by.
double seconds_of(const Deal& deal) {
  const Problem& problem = deal.problem();
  const double over = std::max(0.0, deal.most_work() / deal.mean_work() - 1 - problem.tolerance());
  const double sent = std::max(0.0, most_sent(deal) / std::max(1.0, most_received(deal)) - most_sent_share);
  // Traffic that hides is not free: other things want the links too. With few ranks nearly all of it hides.
  const double weight = problem.ranks() <= few_ranks ? 0.6 : 0.2;
  const double hidden = weight * deal.received() / problem.ranks() * problem.seconds_per_row();
  return deal.step_seconds() * (1 + 4 * over + std::min(0.05, 0.5 * sent)) + hidden;
}

void polish(Deal& deal) {
  const Problem& problem = deal.problem();
  // The last thousandth would cost many rows and save nobody time.
  const double tolerance = std::max(problem.tolerance(), 0.001);
  deal.count_traffic();
  deal.measure_work();
  const double rows_per_pair = problem.seconds_per_pair() / problem.seconds_per_row();
  const double hidden_rows = deal.mean_work() * rows_per_pair;
  Polish search(deal);
  Polish::Rule rule = {
      .most_work = deal.mean_work() * (1 + tolerance), .free_rows = hidden_rows, .most_rows = HUGE_VAL};
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
  // Moves do not count what tiles cost. Measured anew, the tolerance is held.
  deal.measure_work();
  const auto a_little_less = [&] { return deal.mean_work() * (1 + 0.9 * tolerance); };
  rule.free_rows = rule.most_rows = std::max(deal.most_rows(), hidden_rows);
  rule.partners = 1;
  rule.moves = 2 * problem.ranks();
  const auto holds = [&] { return deal.most_work() <= deal.mean_work() * (1 + tolerance); };
  if (!holds()) {
    rule.most_work = a_little_less();
    search.level_work(rule);
  }
  // Where compute is what limits the step, it is not used up if little traffic is enough for that.
  rule.most_work = std::min(a_little_less(), std::max(deal.most_rows() / rows_per_pair, 1.0001 * deal.mean_work()));
  rule.most_price = 8 * rows_per_pair;
  search.level_work(rule);
  rule.most_price = HUGE_VAL;
  // In the end at any price, but no higher one than it takes.
  for (const double price : {1.0, 1.02, 1.05, 1.15, HUGE_VAL, HUGE_VAL, HUGE_VAL}) {
    deal.measure_work();
    if (holds()) break;
    rule.most_work = a_little_less();
    rule.most_rows = price * std::max(deal.most_rows(), hidden_rows);
    rule.partners = 4;
    rule.moves = problem.ranks();
    search.level_work(rule);
  }
}

/// Whether traffic takes less time than that share of what compute takes.
bool hides(const Deal& deal, double share) {
  const Problem& problem = deal.problem();
  return deal.most_rows() * problem.seconds_per_row() < share * deal.mean_work() * problem.seconds_per_pair();
}

/// A greedy dealing can be more even than any that saves rows. Where its rows might hide too, the fastest of them.
std::optional<Deal> greedy_rival(const Deal& best) {
  const Problem& problem = best.problem();
  std::optional<Deal> fastest;
  if (!hides(best, 1.02) || best.most_work() < (1 + 1e-6) * best.mean_work()) return fastest;
  const std::int64_t chunk = default_chunk(problem);
  const auto offer = [&](std::vector<OwnedRange> owned) {
    Deal greedy = deal_as(problem, std::move(owned));
    greedy.measure_work();
    greedy.count_traffic();
    if (!fastest || greedy.step_seconds() < fastest->step_seconds()) fastest = std::move(greedy);
  };
  offer(deal_lpt(problem, chunk));
  // It looks at a share of all ranks for each chunk: with more, that takes more time than there is.
  if (problem.ranks() <= many_ranks) offer(deal_topp(problem, chunk, Options{}.top_p));
  return fastest;
}

/// What levelling aims at.
struct Even {
  double most_work;              ///< of a rank
  double most_price = HUGE_VAL;  ///< rows that a pair less on the heaviest rank may cost
  double accepted = most_work;   ///< that a rank may have in the end nevertheless, where that makes the dealing better
};

Even tolerated(const Deal& deal) {
  const Problem& problem = deal.problem();
  const double rows_per_pair = problem.seconds_per_pair() / problem.seconds_per_row();
  const double tolerance = std::max(problem.tolerance(), 0.001);
  const double most = deal.mean_work() * (1 + 0.9 * tolerance);
  // Where compute is what limits the step, it is not used up if little traffic is enough for that.
  return {.most_work = std::min(most, std::max(deal.most_rows() / rows_per_pair, 1.0001 * deal.mean_work())),
          .most_price = 8 * rows_per_pair,
          .accepted = deal.mean_work() * (1 + tolerance)};
}

/// Nobody gets more rows than hide; they are free as long as nobody sends much more than somebody receives.
Polish::Rule rule_for(const Deal& deal, const Even& even) {
  const Problem& problem = deal.problem();
  const double hidden_rows = deal.mean_work() * problem.seconds_per_pair() / problem.seconds_per_row();
  return {.most_work = even.most_work,
          .free_rows = 1.15 * most_received(deal),
          .most_rows = std::max(deal.most_rows(), hidden_rows),
          .most_price = even.most_price};
}

/// Saves rows while work may be less even than it shall be, levels it, and saves what rows are left to save: as often as that makes the
/// dealing better.
void save_rows(Deal& deal, const Even& even) {
  const std::int32_t ranks = deal.problem().ranks();
  for (const double uneven : {1.02, 1.04, 1.01, 1.02}) {
    Deal other = deal;
    Polish search(other);
    Polish::Rule rule = rule_for(deal, even);
    rule.moves = 16 * ranks;
    rule.most_work = std::max(uneven * deal.mean_work(), deal.most_work());
    search.save_rows(rule);
    other.measure_work();
    rule.most_work = even.most_work;
    search.level_work(rule);
    other.measure_work();
    rule.most_work = std::max(even.most_work, other.most_work());
    search.save_rows(rule);
    other.measure_work();
    const bool is_even = other.most_work() <= std::max(even.accepted, deal.most_work());
    if (is_even && seconds_of(other) < seconds_of(deal)) deal = std::move(other);
  }
}

/// Levels work, whatever rows that costs; where there is time, saves what rows are left to save.
void level(Deal& deal, const Even& even) {
  Polish search(deal);
  Polish::Rule rule = rule_for(deal, even);
  rule.moves = 8 * deal.problem().ranks();
  rule.partners = 2;
  search.level_work(rule);
  deal.measure_work();
  if (deal.problem().ranks() > few_ranks) return;
  rule.most_work = std::max(even.most_work, deal.most_work());
  search.save_rows(rule);
  deal.measure_work();
}

/// Where somebody sends much more than anybody receives, others take over some of these rows. The step takes no longer than \p seconds.
void limit_sends(Deal& deal, double seconds) {
  const Problem& problem = deal.problem();
  const auto holds = [](const Deal& now) { return most_sent(now) <= most_sent_share * most_received(now); };
  if (holds(deal)) return;
  const double tolerated = deal.mean_work() * (1 + problem.tolerance());
  Deal other = deal;
  Polish search(other);
  Polish::Rule rule = {.most_work =
                           std::max(deal.most_work(), std::min(tolerated, seconds / problem.seconds_per_pair()))};
  rule.moves = 2 * problem.ranks();
  for (const std::size_t partners : {16, 64}) {
    rule.free_rows = 0.995 * most_sent_share * most_received(other);
    rule.partners = partners;
    if (!holds(other)) search.limit_sends(rule);
  }
  other.measure_work();
  if (other.most_work() <= std::max(deal.most_work(), tolerated) && other.step_seconds() <= seconds)
    deal = std::move(other);
}

/// The best dealings, best first.
class Best {
 public:
  explicit Best(std::int32_t ranks) : saves_rows_(ranks <= few_ranks), count_(ranks <= 8 ? 6 : 1) {}

  const Deal& front() const& { return deals_.front().deal; }
  Deal front() && { return std::move(deals_.front().deal); }
  void offer(Deal deal) {
    const double cost = seconds_of(deal);
    if (deals_.size() == count_ && deals_.back().cost <= cost) return;
    const auto same = [&](const Candidate& other) { return other.cost == cost; };
    if (std::any_of(deals_.begin(), deals_.end(), same)) return;
    if (deals_.size() == count_) deals_.pop_back();
    const auto place =
        std::find_if(deals_.begin(), deals_.end(), [&](const Candidate& other) { return cost < other.cost; });
    deals_.insert(place, Candidate{cost, std::move(deal)});
  }

  /// Beside the best few, the same with rows saved, if that is better. With many ranks that takes too long.
  void save_rows() {
    if (!saves_rows_) return;
    const std::vector<Candidate> before(deals_.begin(), deals_.begin() + static_cast<std::ptrdiff_t>(few()));
    for (const Candidate& candidate : before) {
      Deal deal = candidate.deal;
      impl::save_rows(deal, tolerated(deal));
      offer(std::move(deal));
    }
  }

  /// Levels all, and prefers those that take no longer than \p rival, or that where none is as fast.
  void level(Deal rival) {
    const double seconds = rival.step_seconds();
    const auto slower = [&](const Candidate& c) { return std::max(0.0, c.deal.step_seconds() - seconds * (1 + 1e-9)); };
    const auto sort = [&] {
      std::stable_sort(deals_.begin(), deals_.end(), [&](const Candidate& a, const Candidate& b) {
        return slower(a) != slower(b) ? slower(a) < slower(b) : a.cost < b.cost;
      });
    };
    const Even even = {.most_work = seconds / front().problem().seconds_per_pair()};
    for (Candidate& candidate : deals_) {
      Deal deal = candidate.deal;
      impl::level(deal, even);
      if (deal.step_seconds() < candidate.deal.step_seconds()) candidate = Candidate{seconds_of(deal), std::move(deal)};
    }
    sort();
    for (std::size_t i = 0; saves_rows_ && i < few(); ++i) {
      impl::save_rows(deals_[i].deal, even);
      deals_[i].cost = seconds_of(deals_[i].deal);
    }
    sort();
    if (slower(deals_.front()) > 0) deals_.insert(deals_.begin(), Candidate{seconds_of(rival), std::move(rival)});
  }

 private:
  struct Candidate {
    double cost;
    Deal deal;
  };
  /// How many of them have the time that saving rows takes.
  std::size_t few() const { return std::min<std::size_t>(3, deals_.size()); }

  bool saves_rows_;
  std::size_t count_;
  std::vector<Candidate> deals_;
};

/// Settings in the order in which they are tried. Of several hundred drawn ones, the first two are good for 64 to 256 ranks, the first five
/// for 32, and all of them for 8 and 16: on packs of MagiAttention's histogram of other seeds than those that results are reported for.
constexpr std::array<Recipe, 16> recipes = {
    {{.headroom = 0.8, .short_share = 0.125},
     {.headroom = 0.8, .spare = 0.5, .short_share = 0.125, .price = 2.1},
     {.headroom = 0.8, .light = true, .short_share = 0.25},
     {.headroom = 0, .least_group = 2.2, .short_share = 0.25, .price = 0.85},
     {.headroom = 0.8, .spare = 0.25, .light = true, .short_share = 0.125, .price = 1.4},
     {.headroom = 1, .spare = 0.5, .light = true, .least_group = 3.2, .short_share = 0.25, .price = 0.85, .heads = 4},
     {.spare = 0.5, .light = true, .least_group = 3.2, .price = 0.7, .heads = 3},
     {.headroom = 0, .spare = 0.1, .light = true, .short_share = 0.125, .price = 1.15, .heads = 4},
     {.short_share = 0.06, .price = 1.15, .heads = 0.5},
     {.headroom = 1, .light = true, .short_share = 0.125, .price = 1.7, .heads = 1},
     {.headroom = 0.8, .spare = 0.1, .light = true, .least_group = 2.2, .short_share = 0.25, .price = 0.85, .heads = 3},
     {.headroom = 0, .light = true, .short_share = 0.25, .price = 1.4, .heads = 2},
     {.headroom = 0.8, .spare = 0.5, .light = true, .least_group = 3.2, .price = 1.4, .heads = 3},
     {.headroom = 1, .light = true, .short_share = 0.25, .price = 0.85, .heads = 4},
     {.headroom = 0.8, .spare = 0.1, .light = true, .least_group = 3.2, .short_share = 0.125, .price = 1.7, .heads = 4},
     {.headroom = 0, .least_group = 2.2, .short_share = 0.125, .price = 0.85, .heads = 1}}};

/// Of the rank that has the most, where each has one of the consecutive ranges \p owned.
double most_pairs(const Problem& problem, std::span<const OwnedRange> owned) {
  std::vector<std::int64_t> borders = {0};
  for (const OwnedRange& range : owned)
    if (range.rows.end > borders.back()) borders.push_back(range.rows.end);
  double most = 0;
  for (const Chunk& chunk : cut_chunks(problem, borders)) most = std::max(most, chunk.pairs);
  return most;
}

/// Whether another recipe may be tried after so many that looked at so many pieces: as many as a few milliseconds allow.
bool has_time(const Problem& problem, const Deal& best, std::size_t tried, std::int64_t looked_at) {
  const std::int64_t ranks = problem.ranks();
  if (ranks <= few_ranks) return true;
  if (problem.components().size() > static_cast<std::size_t>(32 * ranks)) return false;
  const std::size_t usual = ranks > many_ranks ? 1 : ranks > 40 ? 2 : 5;
  const bool early = ranks <= 40 || looked_at <= (ranks > 96 ? 3000 : 1800) * ranks;
  if (most_sent(best) > most_sent_share * most_received(best))
    return (tried == 1 && ranks <= many_ranks) || (early && tried < usual + 2);
  // Other settings save rows, which have time enough here.
  if (ranks > 40 && hides(best, 0.8)) return false;
  return early && tried < usual;
}

}  // namespace

/// Groups of ranks for long components, middle ones cut as rarely as can be, short ones as filler (`construct`), then swaps that
/// level pairs and traffic (`Polish`); the best of several recipes. Regular masks have better forms that are tried too: consecutive
/// rows for equal documents and windows, the zig-zag for one causal document.
std::vector<OwnedRange> deal_balanced(const Problem& problem) {
  Best best(problem.ranks());
  std::int64_t looked_at = 0;
  for (std::size_t tried = 0; tried < recipes.size(); ++tried) {
    if (tried > 0 && !has_time(problem, best.front(), tried, looked_at)) break;
    Deal deal = construct(problem, recipes[tried]);
    polish(deal);
    looked_at += deal.looked_at();
    best.offer(std::move(deal));
  }
  const std::vector<OwnedRange> consecutive = deal_contiguous(problem);
  const bool is_even = most_pairs(problem, consecutive) < 1.5 * problem.mean_pairs();
  if (is_even || problem.ranks() <= 8) {
    Deal contiguous = deal_as(problem, consecutive);
    polish(contiguous);
    best.offer(std::move(contiguous));
  }
  if (!is_even && problem.components().size() <= 8) {
    Deal zig_zag = deal_as(problem, deal_head_tail(problem));
    polish(zig_zag);
    best.offer(std::move(zig_zag));
  }
  if (problem.ranks() <= 8) {
    Deal greedy =
        deal_as(problem, deal_lpt(problem, std::max<std::int64_t>(1, problem.total() / (8 * problem.ranks()))));
    polish(greedy);
    best.offer(std::move(greedy));
  }
  const auto is_faster = [&](const std::optional<Deal>& rival) {
    return rival && rival->step_seconds() < best.front().step_seconds();
  };
  std::optional<Deal> rival = greedy_rival(best.front());
  if (!is_faster(rival)) {
    best.save_rows();
    if (!rival) rival = greedy_rival(best.front());
  }
  // Sends may cost a thousandth of the step, but not make it longer than the rival's.
  const double rival_step = rival ? rival->step_seconds() : HUGE_VAL;
  if (is_faster(rival)) best.level(std::move(*rival));
  Deal deal = std::move(best).front();
  limit_sends(deal, std::clamp(rival_step, deal.step_seconds(), 1.001 * deal.step_seconds()));
  return deal.owned();
}

}  // namespace caesura::solver::impl
