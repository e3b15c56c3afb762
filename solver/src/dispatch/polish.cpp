// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "polish.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace caesura::solver::impl {

namespace {
constexpr std::size_t tried_pieces = 4;
constexpr int most_stuck = 8;
}  // namespace

const Polish::Pieces& Polish::pieces_of(std::int32_t rank) {
  Pieces& result = pieces_[static_cast<std::size_t>(rank)];
  if (!result.empty()) return result;
  for (const std::int32_t c : deal_.components_of(rank)) {
    for (const OwnedRange& piece : deal_.pieces(c)) {
      if (piece.rank != rank) continue;
      const double pairs = deal_.problem().pairs(deal_.component(c), piece.rows);
      result.push_back({c, piece.rows, pairs / static_cast<double>(piece.rows.size()), 0, 0});
    }
  }
  std::sort(result.begin(), result.end(), [](const Piece& a, const Piece& b) {
    return a.density != b.density ? a.density < b.density : a.rows.begin < b.rows.begin;
  });
  for (std::size_t i = 1; i < result.size(); ++i) {
    const Piece& lighter = result[i - 1];
    result[i].rows_before = lighter.rows_before + lighter.rows.size();
    result[i].pairs_before = lighter.pairs_before + lighter.density * static_cast<double>(lighter.rows.size());
  }
  return result;
}

void Polish::apply(const std::vector<Move>& moves) {
  deal_.apply(moves);
  for (const Move& move : moves)
    for (const std::int32_t rank : {move.from, move.to}) {
      pieces_[static_cast<std::size_t>(rank)].clear();
      saved_[static_cast<std::size_t>(rank)].clear();
    }
}

double Polish::lightest(const Pieces& pieces, std::int64_t rows) const {
  const auto behind =
      std::partition_point(pieces.begin(), pieces.end(), [&](const Piece& p) { return p.rows_before < rows; });
  if (behind == pieces.begin()) return rows == 0 ? 0 : HUGE_VAL;
  const Piece& last = *std::prev(behind);
  if (rows - last.rows_before > last.rows.size()) return HUGE_VAL;
  return last.pairs_before + pairs(last, end_of(last, rows - last.rows_before, false));
}

Range Polish::end_of(const Piece& piece, std::int64_t rows, bool dense) const {
  const bool first = deal_.component(piece.component).dense_first == dense;
  return first ? Range{piece.rows.begin, piece.rows.begin + rows} : Range{piece.rows.end - rows, piece.rows.end};
}

void Polish::make_swap(std::int32_t component, Range rows, std::int32_t giver, std::int32_t taker, const Pieces& light,
                       std::size_t first, std::int64_t back) {
  swap_.clear();
  swap_.push_back({component, rows, giver, taker});
  std::int64_t open = back < 0 ? rows.size() : back;
  for (auto piece = light.begin() + static_cast<std::ptrdiff_t>(first); open > 0; ++piece) {
    const std::int64_t taken = std::min(open, piece->rows.size());
    swap_.push_back({piece->component, end_of(*piece, taken, false), taker, giver});
    open -= taken;
  }
}

template <class Cost>
void Polish::find_partners(std::int32_t rank, std::size_t count, const Cost& cost) {
  const auto cheaper = [&](std::int32_t a, std::int32_t b) { return cost(a) != cost(b) ? cost(a) < cost(b) : a < b; };
  const auto keep_best = [&](std::size_t first) {
    const auto begin = partners_.begin() + static_cast<std::ptrdiff_t>(first);
    const auto kept = begin + static_cast<std::ptrdiff_t>(std::min(count, partners_.size() - first));
    std::partial_sort(begin, kept, partners_.end(), cheaper);
    partners_.erase(kept, partners_.end());
  };
  partners_.clear();
  for (std::int32_t other = 0; other < deal_.problem().ranks(); ++other)
    if (other != rank) partners_.push_back(other);
  keep_best(0);
  const std::size_t found = partners_.size();
  ++search_;
  met_[static_cast<std::size_t>(rank)] = search_;
  for (const std::int32_t c : deal_.components_of(rank)) {
    for (const OwnedRange& piece : deal_.pieces(c)) {
      if (std::exchange(met_[static_cast<std::size_t>(piece.rank)], search_) != search_)
        partners_.push_back(piece.rank);
    }
  }
  keep_best(found);
  // Nobody is tried twice.
  const auto sharing = partners_.begin() + static_cast<std::ptrdiff_t>(found);
  partners_.erase(
      std::remove_if(sharing, partners_.end(),
                     [&](std::int32_t other) { return std::find(partners_.begin(), sharing, other) != sharing; }),
      partners_.end());
}

void Polish::level_work(const Rule& rule) {
  for (int move = 0; move < rule.moves && level_work_once(rule);) ++move;
}

bool Polish::level_work_once(const Rule& rule) {
  std::int32_t heavy = 0;
  for (std::int32_t rank = 1; rank < deal_.problem().ranks(); ++rank)
    if (deal_.work(rank) > deal_.work(heavy)) heavy = rank;
  if (deal_.work(heavy) <= rule.most_work) return false;
  find_partners(heavy, rule.partners, [&](std::int32_t rank) { return deal_.work(rank); });
  const Pieces& own = pieces_of(heavy);

  double best = HUGE_VAL;
  for (const std::int32_t partner : partners_) {
    // Down to the mean if the partner can take that much, but not so much that it would be the heavy one.
    const double wanted = std::min(deal_.work(heavy) - deal_.mean_work(), rule.most_work - deal_.work(partner));
    if (wanted <= 0) continue;
    const Pieces& light = pieces_of(partner);
    const double lightest_row = lightest(light, 1);
    std::size_t tried = 0;
    for (auto piece = own.rbegin(); piece != own.rend() && tried < tried_pieces; ++piece) {
      const auto freed = [&](std::int64_t rows) {
        return pairs(*piece, end_of(*piece, rows, true)) - lightest(light, rows);
      };
      // Nothing is freed by more rows if nothing is by the densest one.
      if (!(pairs(*piece, end_of(*piece, 1, true)) > lightest_row)) continue;
      std::int64_t low = 0;
      std::int64_t high = piece->rows.size();
      if (const double all = freed(high); all > wanted || all == -HUGE_VAL) {
        while (high - low > 1) {
          const std::int64_t middle = low + (high - low) / 2;
          const double some = freed(middle);
          some <= wanted&& some != -HUGE_VAL ? low = middle : high = middle;
        }
        high = std::max<std::int64_t>(low, 1);
      }
      const double less = freed(high);
      if (!(less > 0) || deal_.work(partner) + less >= deal_.work(heavy)) continue;
      ++tried;
      make_swap(piece->component, end_of(*piece, high, true), heavy, partner, light);
      const Deal::Effect effect = deal_.effect(swap_, rule.free_rows);
      if (effect.most > rule.most_rows) continue;
      // A little per swap, so that few large ones win over many small ones.
      const double score = (effect.received + 4 * effect.excess + 200) / less;
      if (score < best) best = score, best_ = swap_;
    }
  }
  if (best > rule.most_price || best == HUGE_VAL) return false;
  apply(best_);
  return true;
}

void Polish::level_traffic(const Rule& rule) {
  stuck_.assign(static_cast<std::size_t>(deal_.problem().ranks()), 0);
  stuck_count_ = 0;
  for (int move = 0; move < rule.moves && level_traffic_once(rule);) ++move;
}

bool Polish::level_traffic_once(const Rule& rule) {
  const RowTraffic& traffic = deal_.traffic();
  std::int32_t busy = -1;
  for (std::int32_t rank = 0; rank < deal_.problem().ranks(); ++rank)
    if (!stuck_[static_cast<std::size_t>(rank)] && (busy < 0 || traffic.most(rank) > traffic.most(busy))) busy = rank;
  if (busy < 0 || traffic.most(busy) <= rule.free_rows) return false;
  find_partners(busy, rule.partners, [&](std::int32_t rank) { return traffic.most(rank); });
  const Pieces& own = pieces_of(busy);
  const double now = traffic.most(busy);

  double best = 0;
  for (const std::int32_t partner : partners_) {
    const Pieces& light = pieces_of(partner);
    for (const Piece& piece : own) {
      if (deal_.pieces(piece.component).size() < 2) continue;
      for (const bool dense : {true, false}) {
        for (std::int64_t rows = piece.rows.size(), tries = 0; rows >= 16 && tries < 3; rows /= 4, ++tries) {
          const Range given = end_of(piece, rows, dense);
          const double freed = pairs(piece, given) - lightest(light, rows);
          if (freed == -HUGE_VAL || deal_.work(partner) + freed > rule.most_work ||
              deal_.work(busy) - freed > rule.most_work)
            continue;
          make_swap(piece.component, given, busy, partner, light);
          const Deal::Effect effect = deal_.effect(swap_, rule.free_rows);
          if (effect.most >= now) continue;
          const double score = -effect.excess - 0.05 * effect.received;
          if (score > best) best = score, best_ = swap_;
        }
        if (piece.rows.size() < 32) break;
      }
    }
  }
  if (best > 0.01 * now) {
    apply(best_);
    return true;
  }
  // The next busiest may still be helped, but the slowest rank stays as slow.
  stuck_[static_cast<std::size_t>(busy)] = 1;
  return ++stuck_count_ < most_stuck;
}

void Polish::limit_sends(const Rule& rule) {
  for (int move = 0; move < rule.moves && limit_sends_once(rule);) ++move;
}

bool Polish::limit_sends_once(const Rule& rule) {
  const RowTraffic& traffic = deal_.traffic();
  const auto most = std::max_element(traffic.sent.begin(), traffic.sent.end());
  if (*most <= rule.free_rows) return false;
  const auto busy = static_cast<std::int32_t>(most - traffic.sent.begin());
  find_partners(busy, rule.partners, [&](std::int32_t rank) { return traffic.sent[static_cast<std::size_t>(rank)]; });
  const Pieces& own = pieces_of(busy);
  const double excess = *most - rule.free_rows;

  double best = 0;
  for (const std::int32_t partner : partners_) {
    const Pieces& others = pieces_of(partner);
    for (const Piece& piece : own) {
      if (!is_shared(piece.component)) continue;
      const double takers = static_cast<double>(deal_.pieces(piece.component).size());
      for (std::int64_t rows = piece.rows.size(), tries = 0; rows >= 16 && tries < 6; rows /= 2, ++tries) {
        if (std::min(excess, static_cast<double>(rows) * takers) <= best) break;
        const Range given = end_of(piece, rows, true);
        const double freed = pairs(piece, given);
        const double least = freed - (rule.most_work - deal_.work(partner));
        const double limit = freed + (rule.most_work - deal_.work(busy));
        std::size_t tried = 0;
        for (auto dense = others.rbegin(); dense != others.rend() && tried < tried_pieces; ++dense, ++tried) {
          // As few dense rows as work asks for, and else the lightest.
          const std::int64_t most_dense = std::min(rows, dense->rows.size());
          const auto back = [&](std::int64_t count) {
            return pairs(*dense, end_of(*dense, count, true)) + lightest(others, rows - count);
          };
          std::int64_t low = 0;
          std::int64_t high = most_dense;
          while (low < high) {
            const std::int64_t middle = low + (high - low) / 2;
            back(middle) >= least ? high = middle : low = middle + 1;
          }
          if (dense->rows_before < rows - low || back(low) < least || back(low) > limit) continue;
          make_swap(piece.component, given, busy, partner, others, 0, rows - low);
          if (low > 0) swap_.push_back({dense->component, end_of(*dense, low, true), partner, busy});
          const Deal::Effect effect = deal_.effect(swap_, rule.free_rows);
          const double score = -effect.excess - 0.05 * effect.received;
          if (score > best && effect.most < *most) best = score, best_ = swap_;
          if (low == 0) break;
        }
      }
    }
  }
  if (best == 0) return false;
  apply(best_);
  return true;
}

double Polish::needed_by(std::int32_t c, std::int64_t last) const {
  const Component& component = deal_.component(c);
  if (component.count == 0 || last <= component.rows.begin) return 0;
  const std::int64_t rows = component.prefix ? last - component.rows.begin : component.rows.size();
  return deal_.problem().slices(component)[0].weight * static_cast<double>(rows);
}

double Polish::needed(std::int32_t c, std::int32_t rank, Range without) const {
  std::int64_t last = deal_.component(c).rows.begin;
  for (const OwnedRange& piece : deal_.pieces(c)) {
    if (piece.rank != rank) continue;
    const Range common = intersect(piece.rows, without);
    if (common != piece.rows) last = common.end == piece.rows.end ? common.begin : piece.rows.end;
  }
  return needed_by(c, last);
}

const std::vector<double>& Polish::saved_by(std::int32_t rank) {
  const Pieces& pieces = pieces_of(rank);
  std::vector<double>& saved = saved_[static_cast<std::size_t>(rank)];
  if (!saved.empty()) return saved;
  saved.push_back(0);
  for (const Piece& piece : pieces) {
    const std::int32_t c = piece.component;
    const double saves = is_shared(c) ? needed(c, rank, {}) - needed(c, rank, piece.rows) : 0;
    saved.push_back(saved.back() + saves);
  }
  return saved;
}

void Polish::save_rows(const Rule& rule) {
  const std::int32_t ranks = deal_.problem().ranks();
  std::int32_t idle = 0;
  // When each rank swapped last, and when it was last found to have no swap left: it has none with those that did not swap since.
  std::vector<int> swapped(static_cast<std::size_t>(ranks), -1);
  std::vector<int> searched(static_cast<std::size_t>(ranks), -1);
  for (int move = 0; idle < ranks && move < rule.moves; ++move) {
    const std::int32_t rank = move % ranks;
    const int before = searched[static_cast<std::size_t>(rank)];
    const bool all = before <= swapped[static_cast<std::size_t>(rank)];
    partners_.clear();
    for (std::int32_t other = 0; other < ranks; ++other)
      if (other != rank && (all || before < swapped[static_cast<std::size_t>(other)])) partners_.push_back(other);
    searched[static_cast<std::size_t>(rank)] = move;
    if (save_rows_once(rank, rule)) {
      swapped[static_cast<std::size_t>(best_[0].from)] = swapped[static_cast<std::size_t>(best_[0].to)] = move;
      idle = 0;
    } else {
      ++idle;
    }
  }
}

bool Polish::save_rows_once(std::int32_t rank, const Rule& rule) {
  double best = -1;
  bool found = false;
  const Pieces& own = pieces_of(rank);
  const std::vector<double>& own_saved = saved_by(rank);
  for (const std::int32_t partner : partners_) {
    const Pieces& others = pieces_of(partner);
    const std::vector<double>& saved = saved_by(partner);
    for (std::size_t i = 0; i < own.size(); ++i) {
      const Piece& piece = own[i];
      const std::int32_t c = piece.component;
      if (!is_shared(c)) continue;
      const double needs = std::max(0.0, needed_by(c, piece.rows.end) - needed(c, partner, {}));
      const double grows = needs - (own_saved[i + 1] - own_saved[i]);
      if (grows - saved.back() >= best) continue;
      const double given = pairs(piece, piece.rows);
      const double least = given - (rule.most_work - deal_.work(partner));
      const double most = given + (rule.most_work - deal_.work(rank));
      std::size_t behind = 0;
      for (std::size_t first = 0; first < others.size(); ++first) {
        if (others[first].component == c) continue;
        const std::int64_t end = others[first].rows_before + piece.rows.size();
        while (behind < others.size() && others[behind].rows_before < end) ++behind;
        const Piece& last = others[behind - 1];
        const std::int64_t part = end - last.rows_before;
        if (part > last.rows.size()) break;
        // Most are ruled out without being counted: that work is too little or too much, or that no rows are saved.
        const double whole = last.pairs_before - others[first].pairs_before;
        if (whole > most || whole + last.density * static_cast<double>(last.rows.size()) < least) continue;
        const double cut = part < last.rows.size() && !is_shared(last.component) ? static_cast<double>(part) : 0;
        if (grows + cut - (saved[behind] - saved[first]) >= best) continue;
        const double back = whole + pairs(last, end_of(last, part, false));
        if (back < least || back > most) continue;
        make_swap(c, piece.rows, rank, partner, others, first);
        const Deal::Effect effect = deal_.effect(swap_, rule.free_rows);
        const double score = effect.received + 4 * effect.excess;
        if (score < best && effect.most <= rule.most_rows) best = score, best_ = swap_, found = true;
      }
    }
  }
  if (found) apply(best_);
  return found;
}

}  // namespace caesura::solver::impl
