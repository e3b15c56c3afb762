// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/dispatch.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace caesura::solver {
namespace {

using testing::Random;

/// The fewest rows that all ranks together can receive: every way to give each row to a rank is tried.
class FewestRows {
 public:
  FewestRows(std::vector<std::int64_t> lengths, bool causal, std::int32_t ranks, double tolerance)
      : lengths_(std::move(lengths)),
        causal_(causal),
        tokens_(static_cast<std::size_t>(ranks), 0),
        pairs_(static_cast<std::size_t>(ranks), 0),
        seen_(static_cast<std::size_t>(ranks), 0) {
    std::int64_t all = 0;
    for (const std::int64_t length : lengths_) {
      total_ += length;
      all += causal ? length * (length + 1) / 2 : length * length;
    }
    cap_ = token_cap(total_, ranks, 0);
    most_pairs_ = static_cast<double>(all) / ranks * (1 + tolerance) * (1 + 1e-12);
  }

  /// Infinite if no way holds the tolerance.
  double find() {
    place(0, lengths_[0], 0);
    return best_;
  }

 private:
  /// Rows of a document from its last one down: the first that a rank gets says what it needs.
  void place(std::size_t document, std::int64_t row, std::int64_t needed) {
    if (static_cast<double>(needed - total_) >= best_) return;
    if (row == 0) {
      if (document + 1 == lengths_.size()) {
        best_ = static_cast<double>(needed - total_);
        return;
      }
      const std::vector<char> seen = seen_;
      std::fill(seen_.begin(), seen_.end(), 0);
      place(document + 1, lengths_[document + 1], needed);
      seen_ = seen;
      return;
    }
    const std::int64_t pairs = causal_ ? row : lengths_[document];
    bool fresh = false;
    for (std::size_t rank = 0; rank < tokens_.size(); ++rank) {
      // Ranks that have nothing at all are alike.
      if (tokens_[rank] == 0 && std::exchange(fresh, true)) continue;
      if (tokens_[rank] == cap_ || static_cast<double>(pairs_[rank] + pairs) > most_pairs_) continue;
      const char seen = std::exchange(seen_[rank], 1);
      ++tokens_[rank];
      pairs_[rank] += pairs;
      place(document, row - 1, needed + (seen ? 0 : pairs));
      pairs_[rank] -= pairs;
      --tokens_[rank];
      seen_[rank] = seen;
    }
  }

  std::vector<std::int64_t> lengths_;
  bool causal_;
  std::vector<std::int64_t> tokens_;
  std::vector<std::int64_t> pairs_;
  std::vector<char> seen_;  ///< by rank: has a row of the document
  std::int64_t total_ = 0;
  std::int64_t cap_;
  double most_pairs_;
  double best_ = std::numeric_limits<double>::infinity();
};

TEST(LowerBounds, NoWayToDealRowsReceivesFewer) {
  constexpr std::uint64_t seed = 407;
  Random random(seed);
  int held = 0;
  double best_ratio = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 600 && !::testing::Test::HasFailure(); ++i) {
    const auto ranks = static_cast<std::int32_t>(random.integer(2, 4));
    std::int64_t left = random.integer(ranks, ranks == 2 ? 16 : 12);
    std::vector<std::int64_t> lengths;
    for (; left > 0; left -= lengths.back()) lengths.push_back(random.integer(1, left));
    const bool causal = random.chance(0.7);
    const double tolerance = random.chance(0.5) ? 0.05 : 0.3;
    const double fewest = FewestRows(lengths, causal, ranks, tolerance).find();
    if (fewest == std::numeric_limits<double>::infinity()) continue;
    const Mask mask =
        Mask::from_documents(Documents::from_lengths(lengths), {.kind = causal ? MaskKind::causal : MaskKind::full});
    const LowerBounds bounds = lower_bounds(mask, {.ranks = ranks}, {.tolerance = tolerance});
    const double bound = bounds.mean_receive_rows * ranks;
    ++held;
    if (bound > 0) best_ratio = std::min(best_ratio, fewest / bound);
    std::string name = text("seed ", seed, " draw ", i, ", ", ranks, " ranks, tolerance ", tolerance, ", lengths");
    for (const std::int64_t length : lengths) name += text(" ", length);
    EXPECT_GE(fewest, bound * (1 - 1e-9) - 1e-9) << name;
  }
  EXPECT_GE(held, 200);
  EXPECT_LE(best_ratio, 1.1) << "the bound says little";
}

}  // namespace
}  // namespace caesura::solver
