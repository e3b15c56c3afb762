// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/port_load.hpp"
#include "exchange/stages.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <tuple>
#include <utility>

namespace caesura::solver::impl {

namespace {

/// Bytes of rows, in the largest unit that fits keys and queries: products of bytes and stages stay small.
class Weights {
 public:
  explicit Weights(const LayerShape& layer) {
    const std::int64_t unit = std::gcd(layer.key_row_bytes(), layer.query_row_bytes());
    keys_ = layer.key_row_bytes() / unit;
    queries_ = layer.query_row_bytes() / unit;
  }
  std::int64_t operator[](Payload payload) const { return payload == Payload::keys ? keys_ : queries_; }

 private:
  std::int64_t keys_;
  std::int64_t queries_;
};

bool before(const Transfer& a, const Transfer& b) {
  return std::tie(a.target, a.source, a.payload) < std::tie(b.target, b.source, b.payload);
}

/// Splits the transfers of a draft by stage, rank by rank.
class Cut {
 public:
  Cut(const Draft& draft, std::int32_t count, const Nodes& nodes, std::size_t ranks, const Weights& weights)
      : draft_(draft), count_(count), nodes_(nodes), weights_(weights) {
    first_.resize(static_cast<std::size_t>(count));
    second_.resize(static_cast<std::size_t>(count));
    home_.resize(static_cast<std::size_t>(count) + 1);
    ranges_.reserve(draft.ranges.size() + static_cast<std::size_t>(count) * ranks);
    for (std::size_t begin = 0, end = 0; begin < draft.first.size(); begin = end) {
      const std::int32_t target = draft.first[begin].target;
      while (end < draft.first.size() && draft.first[end].target == target) ++end;
      cut_first(std::span(draft.first).subspan(begin, end - begin));
    }
    if (!draft.second.empty()) cut_second(ranks);
  }

  Exchange finish(ExchangeKind kind) && {
    std::vector<Stage> stages;
    for (std::size_t i = 0; i < home_.size(); ++i) {
      Hop hop = i < first_.size() ? std::move(first_[i]) : Hop();
      if (!home_[i].empty()) hop = merged(hop, sorted_home(home_[i]));
      if (hop.empty()) continue;
      stages.push_back({std::move(hop)});
      if (i < second_.size() && !second_[i].empty()) stages.back().push_back(std::move(second_[i]));
    }
    return Exchange(kind, std::move(stages), std::move(ranges_));
  }

 private:
  /// Rows that a rank has from another node, and when.
  struct Arrival {
    Range rows;
    std::int32_t stage;
    std::int32_t rank;
  };

  std::span<const Range> ranges_of(const Transfer& transfer) const {
    return std::span(draft_.ranges)
        .subspan(static_cast<std::size_t>(transfer.first), static_cast<std::size_t>(transfer.count));
  }

  void append(Hop& hop, Transfer transfer, std::span<const Range> ranges) {
    transfer.first = static_cast<std::int64_t>(ranges_.size());
    transfer.count = static_cast<std::int64_t>(ranges.size());
    transfer.rows = 0;
    for (const Range range : ranges) transfer.rows += range.size();
    ranges_.insert(ranges_.end(), ranges.begin(), ranges.end());
    hop.push_back(transfer);
  }

  static Hop merged(const Hop& a, const Hop& b) {
    Hop result;
    result.reserve(a.size() + b.size());
    std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(result), before);
    return result;
  }

  /// What two stages brought of a rank's queries may go home together: then it is one transfer.
  Hop sorted_home(Hop& home) {
    std::stable_sort(home.begin(), home.end(), before);
    Hop result;
    for (std::size_t i = 0; i < home.size();) {
      std::vector<Range> rows;
      const std::size_t first = i;
      for (; i < home.size() && !before(home[first], home[i]); ++i) {
        const auto ranges = std::span(ranges_).subspan(static_cast<std::size_t>(home[i].first),
                                                       static_cast<std::size_t>(home[i].count));
        rows.insert(rows.end(), ranges.begin(), ranges.end());
      }
      if (i == first + 1) {
        result.push_back(home[first]);
      } else {
        append(result, home[first], RangeSet(std::move(rows)).ranges());
      }
    }
    return result;
  }

  /// Everything that one rank receives first. Queries lead, so that what comes of them can go home beside later steps.
  void cut_first(std::span<const Transfer> transfers) {
    struct Part {
      std::int64_t total = 0;
      std::int64_t below = 0;  // from sources below the rank: the last ones in its cyclic order
      std::int64_t passed = 0;
    };
    std::array<std::array<Part, 2>, 2> parts;  // by across, then queries or keys
    for (const Transfer& transfer : transfers) {
      Part& part = parts[across(transfer)][transfer.payload == Payload::keys];
      const std::int64_t weight = transfer.rows * weights_[transfer.payload];
      part.total += weight;
      if (transfer.source < transfer.target) part.below += weight;
    }
    for (const Transfer& transfer : transfers) {
      const std::int64_t weight = weights_[transfer.payload];
      const auto& [queries, keys] = parts[across(transfer)];
      const std::int64_t total = queries.total + keys.total;
      Part& part = parts[across(transfer)][transfer.payload == Payload::keys];
      std::int64_t offset = part.passed - part.below;
      if (offset < 0) offset += part.total;
      if (transfer.payload == Payload::keys) offset += queries.total;
      part.passed += transfer.rows * weight;
      // A row goes with the stage in which its first byte lies: row x with stage (offset + x weight) count / total.
      std::int64_t stage = offset * count_ / total;
      RowCursor cursor(ranges_of(transfer));
      for (std::int64_t row = 0; row < transfer.rows; ++stage) {
        const std::int64_t room = total * (stage + 1) - offset * count_;
        const std::int64_t end = std::min(transfer.rows, (room + weight * count_ - 1) / (weight * count_));
        if (end <= row) continue;
        const auto at = static_cast<std::size_t>(stage);
        append(first_[at], transfer, cursor.next(end - row, part_));
        row = end;
        if (transfer.payload == Payload::queries) send_home(first_[at].back(), at);
        if (draft_.second.empty() || across(transfer) == 0) continue;
        for (const Range rows : part_) arrivals_.push_back({rows, static_cast<std::int32_t>(stage), transfer.target});
      }
    }
  }

  /// What comes of queries of stage i is there behind step i + 1, so beside step i + 2 it can go.
  void send_home(Transfer transfer, std::size_t stage) {
    std::swap(transfer.source, transfer.target);
    transfer.payload = Payload::outputs;
    home_[std::min(stage + 2, first_.size())].push_back(transfer);
  }

  /// What goes on inside a node goes with the stage in which it entered.
  void cut_second(std::size_t ranks) {
    std::sort(arrivals_.begin(), arrivals_.end(), [](const Arrival& a, const Arrival& b) {
      return std::pair(a.rank, a.rows.begin) < std::pair(b.rank, b.rows.begin);
    });
    const auto arrivals = grouped(
        ranks, arrivals_, [](const Arrival& arrival) { return static_cast<std::size_t>(arrival.rank); },
        [](const Arrival& arrival) { return arrival; });
    std::vector<Arrival> pieces;
    for (const Transfer& transfer : draft_.second) {
      const auto held = arrivals[static_cast<std::size_t>(transfer.source)];
      pieces.clear();
      for (const Range range : ranges_of(transfer)) {
        auto at = std::upper_bound(held.begin(), held.end(), range.begin,
                                   [](std::int64_t row, const Arrival& arrival) { return row < arrival.rows.end; });
        for (; at != held.end() && at->rows.begin < range.end; ++at)
          pieces.push_back({intersect(at->rows, range), at->stage, 0});
      }
      std::stable_sort(pieces.begin(), pieces.end(),
                       [](const Arrival& a, const Arrival& b) { return a.stage < b.stage; });
      for (std::size_t i = 0; i < pieces.size();) {
        const std::int32_t stage = pieces[i].stage;
        part_.clear();
        for (; i < pieces.size() && pieces[i].stage == stage; ++i) {
          // Rows of one stage may have come from two owners.
          if (!part_.empty() && part_.back().end == pieces[i].rows.begin) {
            part_.back().end = pieces[i].rows.end;
          } else {
            part_.push_back(pieces[i].rows);
          }
        }
        append(second_[static_cast<std::size_t>(stage)], transfer, part_);
      }
    }
  }

  /// Takes rows off the front of a list of ranges.
  class RowCursor {
   public:
    explicit RowCursor(std::span<const Range> ranges) : ranges_(ranges) {}
    std::span<const Range> next(std::int64_t rows, std::vector<Range>& result) {
      result.clear();
      while (rows > 0) {
        const Range rest = {ranges_[index_].begin + taken_, ranges_[index_].end};
        const std::int64_t size = std::min(rows, rest.size());
        result.push_back({rest.begin, rest.begin + size});
        rows -= size;
        taken_ += size;
        if (size == rest.size()) {
          ++index_;
          taken_ = 0;
        }
      }
      return result;
    }

   private:
    std::span<const Range> ranges_;
    std::size_t index_ = 0;
    std::int64_t taken_ = 0;
  };

  std::size_t across(const Transfer& transfer) const { return nodes_.across(transfer.source, transfer.target) ? 1 : 0; }

  const Draft& draft_;
  std::int64_t count_;
  const Nodes& nodes_;
  const Weights& weights_;
  std::vector<Hop> first_;   // by stage
  std::vector<Hop> second_;  // by stage
  std::vector<Hop> home_;    // by stage, and one behind them all
  std::vector<Range> ranges_;
  std::vector<Range> part_;
  std::vector<Arrival> arrivals_;
};

/// With more stages than this, some might bring nothing to anybody: a stage must have room for a row.
std::int32_t most_stages(const Draft& draft, const Nodes& nodes, const Weights& weights) {
  std::int64_t heaviest = 1;
  std::int64_t most = 0;
  std::array<std::int64_t, 2> sums = {};
  for (std::size_t i = 0; i < draft.first.size(); ++i) {
    const Transfer& transfer = draft.first[i];
    if (i > 0 && transfer.target != draft.first[i - 1].target) sums = {};
    const std::int64_t weight = weights[transfer.payload];
    std::int64_t& sum = sums[nodes.across(transfer.source, transfer.target) ? 1 : 0];
    sum += transfer.rows * weight;
    most = std::max(most, sum);
    heaviest = std::max(heaviest, weight);
  }
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(most / heaviest, 1, std::int64_t{1} << 30));
}

}  // namespace

Exchange cut_into_stages(ExchangeKind kind, Draft draft, std::int32_t count, const Cluster& cluster,
                         const LayerShape& layer) {
  if (draft.first.empty()) return Exchange(kind, {}, {});
  const Nodes nodes(cluster);
  const Weights weights(layer);
  count = std::min(count, most_stages(draft, nodes, weights));
  if (count > 1) return Cut(draft, count, nodes, static_cast<std::size_t>(cluster.ranks), weights).finish(kind);
  std::vector<Stage> stages(1);
  stages[0].push_back(std::move(draft.first));
  if (!draft.second.empty()) stages[0].push_back(std::move(draft.second));
  if (!draft.outputs.empty()) stages.push_back({std::move(draft.outputs)});
  return Exchange(kind, std::move(stages), std::move(draft.ranges));
}

}  // namespace caesura::solver::impl
