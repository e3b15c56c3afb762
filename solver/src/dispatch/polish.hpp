// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "deal.hpp"

#include <cmath>
#include <vector>

namespace caesura::solver::impl {

/// Local search on a complete dealing: two ranks swap equal numbers of tokens. The overloaded rank gives rows of one piece and
/// takes the lightest that the other has, so that tokens stay equal and whole short components, which cost nothing to move, do
/// most of the work.
class Polish {
 public:
  explicit Polish(Deal& deal)
      : deal_(deal),
        pieces_(static_cast<std::size_t>(deal.problem().ranks())),
        met_(pieces_.size(), 0),
        saved_(pieces_.size()) {}

  struct Rule {
    double most_work = 0;          ///< that a rank may have in the end
    double free_rows = 0;          ///< that a rank may receive or send at no cost
    double most_rows = 0;          ///< that no swap may make a rank receive or send
    double most_price = HUGE_VAL;  ///< rows that a pair less on the heaviest rank may cost
    int moves = 0;                 ///< at most
    std::size_t partners = 4;      ///< tried in each move, of all ranks and again of those that share a component
  };

  /// Swaps until no rank has more than `most_work`, least growth of traffic first, above all where it exceeds `free_rows`.
  void level_work(const Rule& rule);

  /// Swaps until no rank receives or sends more than `free_rows`, while nobody's work exceeds `most_work`.
  void level_traffic(const Rule& rule);

  /// Swaps until no rank sends more than `free_rows`, while nobody's work exceeds `most_work`. Where work leaves no room, the densest rows
  /// that come back make up for the lightest. Looks at many pairs of ranks: for what is seldom due.
  void limit_sends(const Rule& rule);

  /// Swaps whole pieces of components that several ranks share, against rows of any density, as long as all ranks together receive fewer
  /// rows. Nobody's work exceeds `most_work`, nobody's rows exceed `most_rows`. Looks at all pairs of ranks: for few of them.
  void save_rows(const Rule& rule);

 private:
  struct Piece {
    std::int32_t component;
    Range rows;
    double density;            ///< mean pairs of a row
    std::int64_t rows_before;  ///< in the lighter pieces of its rank
    double pairs_before;
  };
  using Pieces = std::vector<Piece>;

  /// All pieces of a rank, lightest first. Kept until the rank swaps.
  const Pieces& pieces_of(std::int32_t rank);
  /// \p rows at the dense or at the sparse end of a piece.
  Range end_of(const Piece& piece, std::int64_t rows, bool dense) const;
  double pairs(const Piece& piece, Range rows) const {
    return deal_.problem().pairs(deal_.component(piece.component), rows);
  }
  /// Pairs of the lightest \p rows; infinite if there are fewer.
  double lightest(const Pieces& pieces, std::int64_t rows) const;
  /// Fills `swap_`: \p giver gives \p rows of a component, and takes as many, or \p back, of the lightest of \p light from piece \p first on.
  void make_swap(std::int32_t component, Range rows, std::int32_t giver, std::int32_t taker, const Pieces& light,
                 std::size_t first = 0, std::int64_t back = -1);
  void apply(const std::vector<Move>& moves);

  bool level_work_once(const Rule& rule);
  bool level_traffic_once(const Rule& rule);
  bool limit_sends_once(const Rule& rule);
  /// With one of `partners_`.
  bool save_rows_once(std::int32_t rank, const Rule& rule);
  bool is_shared(std::int32_t c) const { return deal_.pieces(c).size() > 1; }
  /// Rows of component \p c that a rank needs, its own among them, whose last row lies before \p last; all of the component unless that is
  /// a plain causal document.
  double needed_by(std::int32_t c, std::int64_t last) const;
  /// The same for \p rank without the rows \p without.
  double needed(std::int32_t c, std::int32_t rank, Range without) const;
  /// By a rank's pieces, lightest first: rows that it needs less without those before. Kept until the rank swaps.
  const std::vector<double>& saved_by(std::int32_t rank);
  /// Ranks that share a component with \p rank, cheapest by \p cost first, and the cheapest of all.
  template <class Cost>
  void find_partners(std::int32_t rank, std::size_t count, const Cost& cost);

  Deal& deal_;
  std::vector<Pieces> pieces_;  ///< by rank, empty: not known
  std::vector<std::int32_t> partners_;
  std::vector<std::int64_t> met_;  ///< by rank: the search for partners that met it last
  std::int64_t search_ = 0;
  std::vector<Move> swap_;
  std::vector<Move> best_;
  std::vector<char> stuck_;
  int stuck_count_ = 0;
  std::vector<std::vector<double>> saved_;  ///< by rank, empty: not known
};

}  // namespace caesura::solver::impl
