// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "deal.hpp"
#include "strategies.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/range_set.hpp>

#include <algorithm>
#include <cmath>

namespace caesura::solver::impl {

namespace {

constexpr std::size_t most_chunks = 24;
constexpr std::int64_t most_chunks_by_default = 12;
constexpr std::int64_t most_nodes = 500'000;

/// Branch and bound over the chunks, largest first. A rank's bound counts what it computes, and what it surely receives: of every chunk
/// that another rank owns, the most rows that one of its own chunks needs.
class Search {
 public:
  Search(const Problem& problem, std::vector<Chunk> chunks)
      : problem_(problem),
        chunks_(std::move(chunks)),
        ranks_(static_cast<std::size_t>(problem.ranks())),
        owner_(chunks_.size(), -1),
        pairs_(ranks_, 0),
        tokens_(ranks_, 0) {
    std::stable_sort(chunks_.begin(), chunks_.end(), [](const Chunk& a, const Chunk& b) { return a.pairs > b.pairs; });
    for (std::size_t rank = 0; rank < ranks_; ++rank) rooms_.push_back(problem.room(static_cast<std::int32_t>(rank)));
    std::sort(rooms_.begin(), rooms_.end());
    needs_.assign(chunks_.size() * chunks_.size(), 0);
    for (std::size_t a = 0; a < chunks_.size(); ++a) {
      const RangeSet keys = keys_of(chunks_[a].rows);
      for (std::size_t b = 0; b < chunks_.size(); ++b)
        if (a != b && problem.together())
          needs_[a * chunks_.size() + b] = static_cast<double>(intersect(keys, RangeSet({chunks_[b].rows})).size());
    }
  }

  std::vector<OwnedRange> run() {
    // Something to beat: the chunks in order. Borders of ranks are borders of chunks.
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
      std::int64_t rank = 0;
      while (problem_.total() * (rank + 1) / problem_.ranks() <= chunks_[c].rows.begin) ++rank;
      owner_[c] = static_cast<std::int32_t>(rank);
    }
    finish();
    descend(0);
    return best_;
  }

 private:
  RangeSet keys_of(Range rows) const {
    std::vector<Range> keys;
    for (const Component& component : problem_.components()) {
      for (const WeightedSlice& weighted : problem_.slices(component)) {
        const BandSlice part = weighted.slice.restricted(rows, weighted.slice.k()).tight();
        if (!part.q().empty()) keys.push_back(part.k());
      }
    }
    return RangeSet(std::move(keys));
  }

  /// Tokens are dealt if the ranks, fewest first, have no more than the rooms, fewest first.
  bool fits() const {
    std::vector<std::int64_t> sorted = tokens_;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t rank = 0; rank < ranks_; ++rank)
      if (sorted[rank] > rooms_[rank]) return false;
    return true;
  }

  double bound(std::size_t dealt) const {
    double seconds = problem_.seconds_per_pair() * problem_.mean_pairs();
    for (const double pairs : pairs_) seconds = std::max(seconds, problem_.seconds_per_pair() * pairs);
    std::vector<double> received(ranks_, 0);
    std::vector<double> sent(ranks_, 0);
    std::vector<double> most(ranks_);
    for (std::size_t b = 0; b < dealt; ++b) {
      std::fill(most.begin(), most.end(), 0);
      for (std::size_t a = 0; a < dealt; ++a) {
        double& rows = most[static_cast<std::size_t>(owner_[a])];
        rows = std::max(rows, needs_[a * chunks_.size() + b]);
      }
      const std::size_t owner = static_cast<std::size_t>(owner_[b]);
      for (std::size_t rank = 0; rank < ranks_; ++rank) {
        if (rank == owner) continue;
        received[rank] += most[rank];
        sent[owner] += most[rank];
      }
    }
    for (std::size_t rank = 0; rank < ranks_; ++rank)
      seconds = std::max(seconds, problem_.seconds_per_row() * std::max(received[rank], sent[rank]));
    return seconds;
  }

  void descend(std::size_t next) {
    require(
        ++nodes_ <= most_nodes,
        [&] {
          return text("dispatch: exact: more than ", most_nodes, " branches for ", chunks_.size(), " chunks on ",
                      ranks_, " ranks: must have fewer chunks (chunk) or ranks");
        },
        ErrorKind::resources);
    if (next == chunks_.size()) return finish();
    // Ranks without chunks are alike: one of them is enough.
    bool fresh = false;
    for (std::size_t rank = 0; rank < ranks_ && !fresh; ++rank) {
      fresh = tokens_[rank] == 0;
      tokens_[rank] += chunks_[next].rows.size();
      pairs_[rank] += chunks_[next].pairs;
      owner_[next] = static_cast<std::int32_t>(rank);
      if (tokens_[rank] <= rooms_.back() && fits() && bound(next + 1) < least_ * (1 - 1e-12)) descend(next + 1);
      pairs_[rank] -= chunks_[next].pairs;
      tokens_[rank] -= chunks_[next].rows.size();
    }
  }

  void finish() {
    std::vector<OwnedRange> owned;
    for (std::size_t c = 0; c < chunks_.size(); ++c) owned.push_back({chunks_[c].rows, owner_[c]});
    std::sort(owned.begin(), owned.end(),
              [](const OwnedRange& a, const OwnedRange& b) { return a.rows.begin < b.rows.begin; });
    Deal deal = deal_as(problem_, owned);
    deal.count_traffic();
    if (deal.step_seconds() >= least_) return;
    least_ = deal.step_seconds();
    best_ = owned;
  }

  const Problem& problem_;
  std::vector<Chunk> chunks_;
  const std::size_t ranks_;
  std::vector<std::int64_t> rooms_;
  std::vector<double> needs_;  ///< (chunks, chunks): rows of the second that the first needs
  std::vector<std::int32_t> owner_;
  std::vector<double> pairs_;
  std::vector<std::int64_t> tokens_;
  std::int64_t nodes_ = 0;
  double least_ = HUGE_VAL;
  std::vector<OwnedRange> best_;
};

}  // namespace

/// About \p size rows a chunk, but as many chunks for each rank: dealing them in order gives everybody the tokens it must have, so
/// there always is an answer.
std::vector<OwnedRange> deal_exact(const Problem& problem, std::int64_t size) {
  const std::int64_t ranks = problem.ranks();
  const std::int64_t most = static_cast<std::int64_t>(most_chunks);
  const std::int64_t a_rank = size == 0
                                  ? std::max<std::int64_t>(1, most_chunks_by_default / ranks)
                                  : std::max<std::int64_t>(1, (problem.total() + size * ranks / 2) / (size * ranks));
  const std::int64_t count = std::min(problem.total(), a_rank * ranks);
  require(
      count <= most,
      [&] {
        return a_rank == 1 ? text("dispatch: exact: ", count, " chunks, one for each of ", ranks,
                                  " ranks: must be at most ", most)
                           : text("dispatch: exact: ", count, " chunks of about ", size, " rows on ", ranks,
                                  " ranks: must be at most ", most, " (chunk gives their rows)");
      },
      ErrorKind::resources);
  std::vector<std::int64_t> borders;
  for (std::int64_t i = 0; i <= count; ++i) borders.push_back(problem.total() * i / count);
  return Search(problem, cut_chunks(problem, borders)).run();
}

}  // namespace caesura::solver::impl
