// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/solver/plan.hpp>
#include <support/masks.hpp>
#include <support/random.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace caesura::testing {

/// Rows dealt at random in runs of up to \p longest rows; some ranks may get none.
inline std::vector<solver::OwnedRange> random_owners(Random& random, std::int32_t ranks, std::int64_t total,
                                                     std::int64_t longest) {
  std::vector<solver::OwnedRange> owned;
  const std::int64_t most = random.chance(0.2) ? (ranks - 1) / 2 : ranks - 1;
  for (std::int64_t begin = 0; begin < total;) {
    const std::int64_t end = std::min(total, begin + random.integer(1, longest));
    owned.push_back({{begin, end}, static_cast<std::int32_t>(random.integer(0, most))});
    begin = end;
  }
  return owned;
}

/// Queries and keys together wherever they can be, except now and then.
inline solver::Placement random_placement(Random& random, std::int32_t ranks, const Mask& mask) {
  const std::int64_t longest = std::max<std::int64_t>(1, mask.total_q() / random.integer(1, 3 * ranks));
  auto queries = random_owners(random, ranks, mask.total_q(), longest);
  if (mask.total_q() == mask.total_k() && random.chance(0.8))
    return solver::Placement::together(ranks, mask.total_q(), std::move(queries));
  return solver::Placement::apart(ranks, mask.total_q(), std::move(queries), mask.total_k(),
                                  random_owners(random, ranks, mask.total_k(), longest));
}

/// Documents under any rule, self or cross, or rectangles; up to about \p size tokens.
inline Mask random_mask(Random& random, std::int64_t size) {
  switch (random.integer(0, 2)) {
    case 0:
      return Mask::from_documents(Documents::from_lengths(random.lengths(8, size / 4 + 1)), random.rule(size / 4 + 1));
    case 1: {
      const auto lengths_q = random.lengths(6, size / 4 + 1);
      auto lengths_k = lengths_q;
      for (std::int64_t& length : lengths_k) length = random.integer(0, size / 4 + 1);
      return Mask::from_documents(Documents::from_lengths(lengths_q, lengths_k), random.rule(size / 4 + 1));
    }
    default: {
      const std::int64_t total = random.integer(1, size);
      return random_rectangles(total, random.chance(0.6) ? total : random.integer(1, size), random.integer(1, 30),
                               static_cast<std::uint64_t>(random.integer(0, 1 << 30)));
    }
  }
}

/// Everything that a plan is made of.
struct RandomProblem {
  Mask mask;
  solver::Placement placement;
  solver::Cluster cluster;
  solver::Options options;
};

/// Up to about \p size tokens on up to \p most_ranks ranks, any exchange, nodes or none. Links are slow enough for transfers to
/// matter at that size.
inline RandomProblem random_problem(std::uint64_t seed, std::int64_t size, std::int32_t most_ranks) {
  Random random(seed);
  Mask mask = random_mask(random, size);
  const auto ranks_per_node = static_cast<std::int32_t>(random.integer(1, 4));
  const auto nodes = static_cast<std::int32_t>(random.integer(1, std::max(1, most_ranks / ranks_per_node)));
  solver::Cluster cluster = {.ranks = nodes * ranks_per_node, .ranks_per_node = ranks_per_node};
  cluster.within_node = {.bytes_per_second = 1e9, .latency_seconds = random.chance(0.5) ? 0 : 1e-6};
  cluster.across_nodes = {.bytes_per_second = random.chance(0.5) ? 1e8 : 1e9,
                          .latency_seconds = random.chance(0.5) ? 0 : 1e-5};
  cluster.compute.forward_flops = cluster.compute.backward_flops = random.chance(0.5) ? 1e10 : 1e12;
  cluster.compute.tile = random.chance(0.5) ? solver::TileShape{1, 1} : solver::TileShape{16, 8};
  cluster.compute.step_seconds = random.chance(0.5) ? 0 : 1e-6;
  const auto exchanges = solver::all_exchanges();
  solver::Options options = {
      .exchange =
          exchanges[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(exchanges.size()) - 1))],
      .stages = static_cast<std::int32_t>(random.chance(0.5) ? 0 : random.integer(1, 5)),
      .layer = {.heads_q = 4, .heads_kv = random.chance(0.5) ? 1 : 4, .dim_qk = 16, .dim_v = 16}};
  solver::Placement placement = random_placement(random, cluster.ranks, mask);
  return {std::move(mask), std::move(placement), cluster, options};
}

}  // namespace caesura::testing
