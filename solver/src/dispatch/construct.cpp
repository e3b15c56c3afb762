// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "construct.hpp"

#include "fill.hpp"
#include "group.hpp"

#include <algorithm>
#include <cmath>
#include <queue>
#include <utility>

namespace caesura::solver::impl {

namespace {

constexpr double least_part = 0.1;    // of a rank's work that it must have left to get a part of a middle component
constexpr double send_factor = 1.15;  // of the most rows that a rank receives, what a rank may send where that hides
constexpr double send_spare = 0.07;   // of that, left to what other pieces will add

class Construction {
 public:
  Construction(const Problem& problem, const Recipe& recipe)
      : problem_(problem),
        recipe_(recipe),
        deal_(problem),
        ranks_(problem.ranks()),
        tokens_(std::max<std::int64_t>(1, problem.room(0))),
        cap_(problem.mean_pairs() * (1 + recipe.headroom * problem.tolerance())),
        planned_(static_cast<std::size_t>(problem.ranks())) {}

  Deal build() {
    const std::vector<std::int32_t> order = by_falling_pairs();
    const std::size_t longs = count_longs(order);
    find_price(order, longs);
    plan_groups(order, longs);
    find_short_price(order, longs);
    open_groups();
    for (std::size_t i = longs; i < order.size(); ++i) {
      const std::int64_t rows = deal_.component(order[i]).rows.size();
      (rows > short_rows() ? middles_ : shorts_).push_back({rows, order[i]});
    }
    deal_middles();
    cut_heads();
    deal_groups();
    fill(deal_, shorts_, left_, cap_);
    return std::move(deal_);
  }

 private:
  struct Group {
    std::int32_t component;
    std::int32_t first;  ///< of its ranks
    std::int32_t size;
    double room;  ///< excess of other components that its ranks can take
  };
  /// What a rank is there for besides middle components.
  struct Planned {
    std::int32_t group = -1;
    std::int64_t rows = 0;
    double most = 0;             ///< excess of middle components
    bool receives_much = false;  ///< the dense half of a group: middle components come whole or not at all
    std::vector<Rest> wholes;    ///< middle components whose heads may be cut off, not dealt so far
    std::int64_t heads = 0;      ///< rows that these may do without
    double excess = 0;           ///< of these
  };

  std::vector<std::int32_t> by_falling_pairs() const {
    std::vector<std::pair<double, std::int32_t>> pairs;
    pairs.reserve(problem_.components().size());
    for (const Component& component : problem_.components())
      pairs.emplace_back(-component.pairs, static_cast<std::int32_t>(pairs.size()));
    std::sort(pairs.begin(), pairs.end());
    std::vector<std::int32_t> order;
    order.reserve(pairs.size());
    for (const auto& [falling, c] : pairs) order.push_back(c);
    return order;
  }

  Ascending ascending(std::int32_t c) const { return {problem_, deal_.component(c)}; }
  std::int64_t short_rows() const {
    return static_cast<std::int64_t>(recipe_.short_share * static_cast<double>(tokens_));
  }
  /// Tokens that a middle component may have on a rank, beside the plan of its group.
  std::int64_t token_room(std::int32_t rank) const {
    const Planned& planned = planned_[static_cast<std::size_t>(rank)];
    return std::max<std::int64_t>(0, deal_.room(rank) - planned.rows + planned.heads);
  }
  /// Rows at the sparse end that may become filler for others where the rank has too many tokens.
  std::int64_t head_of(const Rest& rest, std::int32_t rank) const {
    if (planned_[static_cast<std::size_t>(rank)].group >= 0) return 0;
    return std::min(rest.rows / 2, static_cast<std::int64_t>(recipe_.heads * price_));
  }
  double area_room(std::int32_t rank) const {
    const Planned& planned = planned_[static_cast<std::size_t>(rank)];
    if (planned.group >= 0) return std::min(planned.most, groups_[static_cast<std::size_t>(planned.group)].room);
    return cap_ - deal_.work(rank) - price_ * static_cast<double>(deal_.room(rank)) - planned.excess;
  }

  /// The first of \p order that fits a rank whole.
  std::size_t count_longs(const std::vector<std::int32_t>& order) const {
    std::size_t longs = 0;
    while (longs < order.size() && deal_.component(order[longs]).pairs > cap_) ++longs;
    return longs;
  }

  /// Excess that makes a rank's work the mean.
  double capacity() const { return problem_.mean_pairs() - price_ * static_cast<double>(tokens_); }

  /// Ranks that a component fills, if each has filler of price_ beside it.
  double worth(const Component& component) const {
    if (capacity() <= 0) return static_cast<double>(ranks_);
    return (component.pairs - price_ * static_cast<double>(component.rows.size())) / capacity();
  }

  /// Rows that fill up the ranks of the long components.
  double filler_wanted(const std::vector<std::int32_t>& order, std::size_t longs) const {
    double wanted = 0;
    for (std::size_t i = 0; i < longs; ++i) {
      const Component& component = deal_.component(order[i]);
      wanted += worth(component) * static_cast<double>(tokens_) - static_cast<double>(component.rows.size());
    }
    return wanted;
  }

  /// The price of filler: mean pairs of a row of the material that fills up the ranks of the long components. That is the shortest
  /// components, whole, as many as are needed, so that filler nets to zero; or, `recipe_.light`, the lightest rows of all.
  void find_price(const std::vector<std::int32_t>& order, std::size_t longs) {
    std::int64_t low = 1;
    std::int64_t high = 1;
    for (std::size_t i = longs; i < order.size(); ++i) high = std::max(high, deal_.component(order[i]).rows.size());
    // The first `depth` rows of every component, from its sparse end.
    const auto enough = [&](std::int64_t depth) {
      double rows = 0;
      double pairs = 0;
      for (std::size_t i = longs; i < order.size(); ++i) {
        const std::int64_t taken = std::min(depth, deal_.component(order[i]).rows.size());
        rows += static_cast<double>(taken);
        pairs += ascending(order[i]).pairs(0, taken);
      }
      price_ = rows > 0 ? pairs / rows : 0;
      return rows >= filler_wanted(order, longs);
    };
    if (!recipe_.light) {
      double rows = 0;
      double pairs = 0;
      for (std::size_t i = order.size(); i-- > longs;) {
        const Component& component = deal_.component(order[i]);
        if (component.rows.size() > short_rows() && rows > 0) {
          price_ = pairs / rows;
          if (rows >= filler_wanted(order, longs)) return;
        }
        rows += static_cast<double>(component.rows.size());
        pairs += component.pairs;
        price_ = pairs / rows;
      }
      return;
    }
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      enough(middle) ? high = middle : low = middle + 1;
    }
    enough(low);
  }

  void find_short_price(const std::vector<std::int32_t>& order, std::size_t longs) {
    double pairs = 0;
    double rows = 0;
    for (std::size_t i = longs; i < order.size(); ++i) {
      const Component& component = deal_.component(order[i]);
      if (component.rows.size() > short_rows()) continue;
      pairs += component.pairs;
      rows += static_cast<double>(component.rows.size());
    }
    price_ = recipe_.price * (rows > 0 ? pairs / rows : 0);
  }

  /// Ranks for each of the long components, 0 for those that are worth too few. Together never more than there are.
  std::vector<std::int32_t> group_sizes(const std::vector<std::int32_t>& order, std::size_t longs) const {
    std::vector<std::int32_t> sizes(longs, 0);
    std::vector<double> remainders(longs, 0);
    std::int32_t used = 0;
    const auto grow = [&](std::size_t i, std::int32_t by) {
      sizes[i] += by;
      remainders[i] -= by;
      used += by;
    };
    for (std::size_t i = 0; i < longs; ++i) {
      const Component& component = deal_.component(order[i]);
      const double share = worth(component);
      const double filled = static_cast<double>(component.rows.size()) / static_cast<double>(tokens_);
      // What has more tokens than its ranks would hold is light material for others.
      if (share < recipe_.least_group || share < filled - 0.5) continue;
      remainders[i] = share;
      grow(i, static_cast<std::int32_t>(
                  std::max({std::floor(share), std::ceil(filled - 1e-9), std::ceil(component.pairs / cap_ - 1e-9)})));
    }
    const auto extreme = [&](double sign) {
      std::size_t best = longs;
      for (std::size_t i = 0; i < longs; ++i)
        if (sizes[i] > 0 && (best == longs || sign * remainders[i] > sign * remainders[best])) best = i;
      return best;
    };
    while (used > ranks_) {
      // Below its tokens it would not fit any more.
      const std::size_t i = extreme(-1);
      const bool fits = static_cast<double>(sizes[i] - 1) * static_cast<double>(tokens_) >=
                        static_cast<double>(deal_.component(order[i]).rows.size());
      grow(i, fits ? -1 : -sizes[i]);
    }
    for (std::size_t i = extreme(1); i < longs && used < ranks_ && remainders[i] > 0.01 * sizes[i]; i = extreme(1))
      grow(i, 1);
    return sizes;
  }

  /// Rows that a rank may send: what some rank receives at least, for it owns the end of a long component, or a little more where
  /// that hides. Less than that by what other pieces will add.
  double send_limit(const std::vector<std::int32_t>& order, const std::vector<std::int32_t>& sizes) const {
    const double hidden = problem_.mean_pairs() * problem_.seconds_per_pair() / problem_.seconds_per_row();
    double received = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (sizes[i] < 2) continue;
      const double size = static_cast<double>(deal_.component(order[i]).rows.size());
      received = std::max(received, size - std::min(static_cast<double>(tokens_), size / sizes[i]));
    }
    return std::max(1.0, (1 - send_spare) * std::clamp(hidden, received, send_factor * received));
  }

  /// Plans as many fresh ranks for each component that is worth several; the other long ones become middles.
  void plan_groups(const std::vector<std::int32_t>& order, std::size_t longs) {
    const std::vector<std::int32_t> sizes = group_sizes(order, longs);
    std::int32_t fresh = 0;
    send_limit_ = send_limit(order, sizes);
    for (std::size_t i = 0; i < longs; ++i) {
      if (sizes[i] == 0) {
        middles_.push_back({deal_.component(order[i]).rows.size(), order[i]});
        continue;
      }
      groups_.push_back({order[i], fresh, sizes[i], 0});
      const GroupShape shape = shape_of(groups_.back());
      for (std::int32_t g = 0; g < sizes[i]; ++g) {
        const std::size_t s = static_cast<std::size_t>(g);
        Planned& planned = planned_[static_cast<std::size_t>(fresh) + static_cast<std::size_t>(g)];
        planned.receives_much = recipe_.spare > 0 && 2 * g < sizes[i];
        planned.group = static_cast<std::int32_t>(groups_.size()) - 1;
        // With some to spare: beside middle components the shares of the rows shift.
        const std::int64_t rows = shape.strips[s] - shape.strips[s + 1] + shape.heads[s + 1] - shape.heads[s];
        planned.rows = rows + static_cast<std::int64_t>(recipe_.spare * static_cast<double>(rows + tokens_ / 4));
      }
      fresh += sizes[i];
    }
  }

  GroupShape shape_of(const Group& group) const {
    GroupRule rule = {.tokens = {}, .loads = {}, .price = price_, .send_limit = send_limit_};
    for (std::int32_t rank = group.first; rank < group.first + group.size; ++rank) {
      rule.tokens.push_back(deal_.room(rank));
      rule.loads.push_back(deal_.work(rank) - price_ * static_cast<double>(problem_.room(rank) - deal_.room(rank)));
    }
    return shape_group(ascending(group.component), deal_.component(group.component).prefix, group.size, rule);
  }

  /// What each group can take beside its component, now that the price is that of the short ones.
  void open_groups() {
    for (Group& group : groups_) {
      const double excess = ascending(group.component).excess(0, deal_.component(group.component).rows.size(), price_);
      group.room = group.size * capacity() - excess;
      for (std::int32_t rank = group.first; rank < group.first + group.size; ++rank)
        planned_[static_cast<std::size_t>(rank)].most = (recipe_.spare > 0 ? 0.5 : 0.7) * excess / group.size;
    }
  }

  void deal_groups() {
    for (const Group& group : groups_) {
      const GroupShape shape = shape_of(group);
      for (std::int32_t g = 0; g < group.size; ++g) {
        const std::size_t s = static_cast<std::size_t>(g);
        put_fitting(group.component, shape.heads[s], shape.heads[s + 1], group.first + g);
        put_fitting(group.component, shape.strips[s + 1], shape.strips[s], group.first + g);
      }
      if (shape.strips.back() > shape.heads.back())
        left_.push_back({group.component, shape.heads.back(), shape.strips.back()});
    }
  }

  /// Tokens are equal only within one: a strip may be one too long.
  void put_fitting(std::int32_t c, std::int64_t begin, std::int64_t end, std::int32_t rank) {
    const std::int64_t fits = std::min(end - begin, deal_.room(rank));
    deal_.put(c, ascending(c).rows(end - fits, end), rank);
    if (fits < end - begin) left_.push_back({c, begin, end - fits});
  }

  /// Longest first: whole to the rank it fits best, else the densest part that any rank can take. Before the long components, whose
  /// strips can be cut to what is left anywhere.
  void deal_middles() {
    std::priority_queue<Rest> queue(middles_.begin(), middles_.end());
    while (!queue.empty()) {
      const Rest rest = queue.top();
      queue.pop();
      if (rest.rows <= short_rows() / 2) {
        shorts_.push_back(rest);
        continue;
      }
      const Ascending component = ascending(rest.component);
      const double excess = component.excess(0, rest.rows, price_);
      std::int32_t whole = -1;
      double slack = HUGE_VAL;
      for (std::int32_t rank = ranks_; rank-- > 0;) {
        const double left = area_room(rank) - excess;
        if (token_room(rank) >= rest.rows - head_of(rest, rank) && left >= 0 && left < slack)
          slack = left, whole = rank;
      }
      if (whole >= 0 && head_of(rest, whole) > 0) {
        Planned& planned = planned_[static_cast<std::size_t>(whole)];
        planned.wholes.push_back(rest);
        planned.heads += head_of(rest, whole);
        planned.rows += rest.rows;
        planned.excess += excess;
        continue;
      }
      if (whole >= 0) {
        put_middle(rest.component, component.rows(0, rest.rows), excess, whole);
        continue;
      }
      const double least = least_part * cap_;
      std::int32_t taker = -1;
      double most = -1;
      std::int64_t begin = 0;
      for (std::int32_t rank = ranks_; rank-- > 0;) {
        const double room = area_room(rank);
        if (planned_[static_cast<std::size_t>(rank)].receives_much || token_room(rank) <= 0 || room <= most ||
            room < least)
          continue;
        const std::int64_t from = std::max(rest.rows - token_room(rank), component.begin_of(rest.rows, room, price_));
        const double taken = component.excess(from, rest.rows, price_);
        if (from < rest.rows && taken > most) most = taken, taker = rank, begin = from;
      }
      if (taker < 0) {
        // No work left anywhere: filler, in as few parts as there are tokens for.
        shorts_.push_back(rest);
        continue;
      }
      put_middle(rest.component, component.rows(begin, rest.rows), most, taker);
      if (begin > 0) queue.push({begin, rest.component});
    }
  }

  /// Deals the components that were put off, less as deep a head of each as lets the rank hold them.
  void cut_heads() {
    for (std::int32_t rank = 0; rank < ranks_; ++rank) {
      Planned& planned = planned_[static_cast<std::size_t>(rank)];
      if (planned.wholes.empty()) continue;
      const std::int64_t over = planned.rows - deal_.room(rank);
      const auto depth_of = [&](const Rest& rest, std::int64_t depth) { return std::min(depth, head_of(rest, rank)); };
      std::int64_t low = 0;
      std::int64_t high = over > 0 ? planned.heads : 0;
      while (low < high) {
        const std::int64_t middle = low + (high - low) / 2;
        std::int64_t cut = 0;
        for (const Rest& rest : planned.wholes) cut += depth_of(rest, middle);
        cut >= over ? high = middle : low = middle + 1;
      }
      for (const Rest& rest : planned.wholes) {
        const std::int64_t head = depth_of(rest, low);
        deal_.put(rest.component, ascending(rest.component).rows(head, rest.rows), rank);
        if (head > 0) shorts_.push_back({head, rest.component});
      }
    }
  }

  void put_middle(std::int32_t c, Range rows, double excess, std::int32_t rank) {
    deal_.put(c, rows, rank);
    Planned& planned = planned_[static_cast<std::size_t>(rank)];
    if (planned.group < 0) return;
    planned.most -= excess;
    groups_[static_cast<std::size_t>(planned.group)].room -= excess;
  }

  const Problem& problem_;
  const Recipe recipe_;
  Deal deal_;
  const std::int32_t ranks_;
  const std::int64_t tokens_;
  const double cap_;
  double price_ = 0;
  std::vector<Rest> middles_;
  std::vector<Rest> shorts_;
  std::vector<Left> left_;
  std::vector<Group> groups_;
  std::vector<Planned> planned_;
  double send_limit_ = 0;
};

}  // namespace

Deal construct(const Problem& problem, const Recipe& recipe) { return Construction(problem, recipe).build(); }

}  // namespace caesura::solver::impl
