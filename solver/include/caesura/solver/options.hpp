// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/solver/cluster.hpp>
#include <caesura/solver/workload.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace caesura::solver {

/// How query rows are dealt to ranks.
enum class Dispatch : std::uint8_t {
  contiguous,  ///< rank r gets the r-th part of the rows
  head_tail,  ///< each document in 2 x ranks parts, rank r gets parts r and 2 x ranks - 1 - r (the zig-zag of ring attention)
  lpt,        ///< chunks by falling area, each to the rank with the least (Graham 1969)
  topp,  ///< as lpt, but among the `top_p` least loaded ranks the one that holds most of the chunk's keys (MagiAttention)
  balanced,  ///< equal work and equal tokens, least predicted step time
  exact      ///< the best assignment of chunks to ranks, by branch and bound; small cases only
};

/// Which rows travel, and how.
enum class ExchangeKind : std::uint8_t {
  zero_redundancy,  ///< each rank receives each remote key it needs once, from its owner
  hierarchical,     ///< as that, but a key enters a node once and goes on from there inside it
  all_gather,       ///< every rank receives every key
  ring,             ///< every rank's keys go around, one neighbor a stage
  qo                ///< queries go to the keys and partial outputs come back where that is cheaper
};

/// What a plan may choose, and for what it is optimized.
struct Options {
  Dispatch dispatch = Dispatch::balanced;
  ExchangeKind exchange = ExchangeKind::zero_redundancy;
  std::int32_t stages = 0;  ///< transfers to overlap with compute; 0: by the cost model
  double token_slack =
      0;  ///< a rank may own up to ceil(tokens / ranks * (1 + token_slack)); 0: equal, within one token
  double tolerance = 0.02;  ///< `balanced` accepts max / mean work up to 1 + tolerance
  std::int64_t chunk =
      0;  ///< rows a chunk for lpt and topp (0: min(512, tokens / (8 ranks))); about as many for exact (0: 12 chunks)
  double top_p = 0.25;  ///< for topp
  LayerShape layer = {};
  PassWeights passes = {};

  /// \throws Error in the name of \p function that names the option, its value and the rule.
  void validate(const char* function) const;
  friend bool operator==(const Options&, const Options&) = default;
};

std::string_view name_of(Dispatch dispatch);
std::string_view name_of(ExchangeKind kind);
std::span<const Dispatch> all_dispatches();
std::span<const ExchangeKind> all_exchanges();

}  // namespace caesura::solver
