// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "construct.hpp"

#include "group.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

namespace caesura::solver::impl {

namespace {

/// A part of a component that still has no owner: its rows from the sparse end on.
struct Rest {
  std::int64_t rows;
  std::int32_t component;
  friend bool operator<(const Rest& a, const Rest& b) {
    return a.rows != b.rows ? a.rows < b.rows : a.component > b.component;
  }
};

class Construction {
 public:
  Construction(const Problem& problem, const Recipe& recipe)
      : problem_(problem),
        recipe_(recipe),
        deal_(problem),
        ranks_(problem.ranks()),
        tokens_(std::max<std::int64_t>(1, problem.room(0))),
        cap_(problem.mean_pairs() * (1 + recipe.headroom * problem.tolerance())) {}

  Deal build() {
    std::vector<std::int32_t> order(problem_.components().size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return deal_.component(a).pairs > deal_.component(b).pairs;
    });
    const std::size_t longs = count_longs(order);
    find_price(order, longs);
    deal_groups(order, longs);
    find_short_price(order, longs);
    for (std::size_t i = longs; i < order.size(); ++i) {
      const std::int64_t rows = deal_.component(order[i]).rows.size();
      (rows > short_rows() ? middles_ : shorts_).push_back({rows, order[i]});
    }
    deal_middles();
    deal_shorts();
    return std::move(deal_);
  }

 private:
  Ascending ascending(std::int32_t c) const { return {problem_, deal_.component(c)}; }
  std::int64_t short_rows() const {
    return static_cast<std::int64_t>(recipe_.short_share * static_cast<double>(tokens_));
  }
  double area_room(std::int32_t rank) const {
    return cap_ - deal_.work(rank) - price_ * static_cast<double>(deal_.room(rank));
  }

  /// The first of \p order that fits a rank whole.
  std::size_t count_longs(const std::vector<std::int32_t>& order) const {
    std::size_t longs = 0;
    while (longs < order.size() && deal_.component(order[longs]).pairs > cap_) ++longs;
    return longs;
  }

  /// Ranks that a component fills, if each has filler of price_ beside it.
  double worth(const Component& component) const {
    const double capacity = problem_.mean_pairs() - price_ * static_cast<double>(tokens_);
    if (capacity <= 0) return static_cast<double>(ranks_);
    return (component.pairs - price_ * static_cast<double>(component.rows.size())) / capacity;
  }

  /// The price of filler: mean pairs of a row of the material that fills up the ranks of the long components. That is everything
  /// that stays whole, so that filler nets to zero; or, `recipe_.light`, just as much of it as is needed, lightest rows first.
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
      double wanted = 0;
      for (std::size_t i = 0; i < longs; ++i) {
        const Component& component = deal_.component(order[i]);
        wanted += worth(component) * static_cast<double>(tokens_) - static_cast<double>(component.rows.size());
      }
      return rows >= wanted;
    };
    if (!recipe_.light) low = high;
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
    price_ = rows > 0 ? pairs / rows : 0;
  }

  /// Ranks for each of the long components, 0 for those that are worth too few. Together never more than there are.
  std::vector<std::int32_t> group_sizes(const std::vector<std::int32_t>& order, std::size_t longs) const {
    std::vector<std::int32_t> sizes(longs, 0);
    std::vector<double> remainders(longs, 0);
    double worth_all = 0;
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
      worth_all += share;
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
    for (std::size_t i = extreme(1);
         i < longs && used < std::min<double>(ranks_, std::floor(worth_all)) && remainders[i] > 0; i = extreme(1))
      grow(i, 1);
    return sizes;
  }

  /// Gives the components that are worth several ranks as many fresh ones; the other long ones become middles.
  void deal_groups(const std::vector<std::int32_t>& order, std::size_t longs) {
    const std::vector<std::int32_t> sizes = group_sizes(order, longs);
    std::int32_t fresh = 0;
    const double hidden = problem_.mean_pairs() * problem_.seconds_per_pair() / problem_.seconds_per_row();
    for (std::size_t i = 0; i < longs; ++i) {
      const std::int32_t c = order[i];
      if (sizes[i] == 0) {
        middles_.push_back({deal_.component(c).rows.size(), c});
        continue;
      }
      const GroupRule rule = {.tokens = tokens_, .price = price_, .send_limit = recipe_.send_factor * hidden};
      const Ascending component = ascending(c);
      const GroupShape shape = shape_group(component, deal_.component(c).prefix, sizes[i], rule);
      for (std::int32_t g = 0; g < sizes[i]; ++g) {
        const std::size_t s = static_cast<std::size_t>(g);
        put_fitting(c, shape.heads[s], shape.heads[s + 1], fresh + g);
        put_fitting(c, shape.strips[s + 1], shape.strips[s], fresh + g);
      }
      if (shape.strips.back() > shape.heads.back()) left_.push_back({c, shape.heads.back(), shape.strips.back()});
      fresh += sizes[i];
    }
  }

  /// Tokens are equal only within one: a strip may be one too long.
  void put_fitting(std::int32_t c, std::int64_t begin, std::int64_t end, std::int32_t rank) {
    const std::int64_t fits = std::min(end - begin, deal_.room(rank));
    deal_.put(c, ascending(c).rows(end - fits, end), rank);
    if (fits < end - begin) left_.push_back({c, begin, end - fits});
  }

  /// Longest first: whole to the rank it fits best, else the densest part that any rank can take.
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
      for (std::int32_t rank = 0; rank < ranks_; ++rank) {
        const double left = area_room(rank) - excess;
        if (deal_.room(rank) >= rest.rows && left >= 0 && left < slack) slack = left, whole = rank;
      }
      if (whole >= 0) {
        deal_.put(rest.component, component.rows(0, rest.rows), whole);
        continue;
      }
      std::int32_t taker = -1;
      double most = -1;
      std::int64_t begin = 0;
      for (std::int32_t rank = 0; rank < ranks_; ++rank) {
        const double room = area_room(rank);
        if (deal_.room(rank) <= 0 || room <= most) continue;
        const std::int64_t from = std::max(rest.rows - deal_.room(rank), component.begin_of(rest.rows, room, price_));
        const double taken = component.excess(from, rest.rows, price_);
        if (from < rest.rows && taken > most) most = taken, taker = rank, begin = from;
      }
      if (taker < 0) {
        // No area left anywhere: to the least loaded rank with room.
        for (std::int32_t rank = 0; rank < ranks_; ++rank)
          if (deal_.room(rank) > 0 && (taker < 0 || deal_.work(rank) < deal_.work(taker))) taker = rank;
        begin = std::max<std::int64_t>(0, rest.rows - deal_.room(taker));
      }
      deal_.put(rest.component, component.rows(begin, rest.rows), taker);
      if (begin > 0) queue.push({begin, rest.component});
    }
  }

  /// Longest first, each to the rank that wants the densest filler; the last ones are cut to make tokens exact.
  void deal_shorts() {
    std::sort(shorts_.begin(), shorts_.end(), [](const Rest& a, const Rest& b) { return b < a; });
    using Wish = std::pair<double, std::int32_t>;
    std::priority_queue<Wish> wishes;   // by density that the rank still wants
    std::priority_queue<Wish> waiting;  // by room: too little for the last components, maybe enough for shorter ones
    const auto wish = [&](std::int32_t rank) {
      if (deal_.room(rank) > 0)
        wishes.emplace((cap_ - deal_.work(rank)) / static_cast<double>(deal_.room(rank)), -rank);
    };
    for (std::int32_t rank = 0; rank < ranks_; ++rank) wish(rank);
    for (const Rest rest : shorts_) {
      for (; !waiting.empty() && waiting.top().first >= static_cast<double>(rest.rows); waiting.pop())
        wish(-waiting.top().second);
      while (!wishes.empty() && deal_.room(-wishes.top().second) < rest.rows) {
        waiting.emplace(static_cast<double>(deal_.room(-wishes.top().second)), wishes.top().second);
        wishes.pop();
      }
      if (wishes.empty()) {
        // Nobody has room for all of it: from the dense end down, where most room is.
        for (std::int64_t end = rest.rows; end > 0;) {
          const std::int32_t rank = -waiting.top().second;
          waiting.pop();
          const std::int64_t part = std::min(end, deal_.room(rank));
          deal_.put(rest.component, ascending(rest.component).rows(end - part, end), rank);
          end -= part;
          if (deal_.room(rank) > 0) waiting.emplace(static_cast<double>(deal_.room(rank)), -rank);
        }
        continue;
      }
      const std::int32_t rank = -wishes.top().second;
      wishes.pop();
      deal_.put(rest.component, ascending(rest.component).rows(0, rest.rows), rank);
      wish(rank);
    }
    for (const Left& left : left_) put_in_parts(left.component, left.begin, left.end);
  }

  /// Where most room is left, from the dense end down.
  void put_in_parts(std::int32_t c, std::int64_t begin, std::int64_t end) {
    while (begin < end) {
      std::int32_t widest = 0;
      for (std::int32_t rank = 1; rank < ranks_; ++rank)
        if (deal_.room(rank) > deal_.room(widest)) widest = rank;
      const std::int64_t part = std::min(end - begin, deal_.room(widest));
      deal_.put(c, ascending(c).rows(end - part, end), widest);
      end -= part;
    }
  }

  struct Left {
    std::int32_t component;
    std::int64_t begin;
    std::int64_t end;
  };

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
};

}  // namespace

Deal construct(const Problem& problem, const Recipe& recipe) { return Construction(problem, recipe).build(); }

}  // namespace caesura::solver::impl
