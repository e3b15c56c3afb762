// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Documents of very different lengths on 8 ranks in 2 nodes: who owns which tokens, and how many keys come from whom.

#include <caesura/solver/solver.hpp>

#include <array>
#include <cstdio>
#include <vector>

namespace solver = caesura::solver;

int main() {
  try {
    std::vector<std::int64_t> lengths = {24'000, 9'000, 7'000};
    lengths.resize(40, 700);  // and 37 short ones
    const auto mask = caesura::Mask::from_documents(caesura::Documents::from_lengths(lengths));
    const solver::Plan plan = solver::solve(mask, {.ranks = 8, .ranks_per_node = 4});

    std::array<std::array<long long, 8>, 8> keys = {};  // (target, source)
    for (const solver::Stage& stage : plan.exchange().stages())
      for (const solver::Hop& hop : stage)
        for (const auto& transfer : hop)
          keys[static_cast<std::size_t>(transfer.target)][static_cast<std::size_t>(transfer.source)] += transfer.rows;

    std::puts("rank  tokens  of all pairs    keys from 0      1      2      3      4      5      6      7  owns");
    for (std::int32_t rank = 0; rank < 8; ++rank) {
      const solver::RankLoad& load = plan.loads()[static_cast<std::size_t>(rank)];
      const double share = static_cast<double>(load.area) / static_cast<double>(mask.area());
      std::printf("%4d  %6lld  %10.1f %%    ", rank, static_cast<long long>(load.tokens), 100 * share);
      for (const long long rows : keys[static_cast<std::size_t>(rank)]) std::printf("%7lld", rows);
      for (const caesura::Range rows : plan.local_tokens(rank))
        if (rows.size() > 1000)  // the others would fill the screen
          std::printf("  [%lld,%lld)", static_cast<long long>(rows.begin), static_cast<long long>(rows.end));
      std::puts("");
    }
    return plan.max_over_mean_area() < 1.03 ? 0 : 1;
  } catch (const caesura::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
