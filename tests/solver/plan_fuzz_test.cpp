// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/plan.hpp>
#include <support/masks.hpp>
#include <support/pairs.hpp>
#include <support/plan_checker.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <string>
#include <vector>

namespace caesura::solver {
namespace {

using testing::Depth;
using testing::Random;
using testing::Violations;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t small_plans = 2'000, large_plans = 40;
#else
constexpr std::uint64_t small_plans = 20'000, large_plans = 400;
#endif

/// Documents, rectangles and blocks, self and cross, padded or not, up to about \p size tokens.
Mask random_mask(Random& random, std::int64_t size) {
  const std::int64_t total_q = random.integer(1, size);
  const std::int64_t total_k = random.chance(0.6) ? total_q : random.integer(1, size);
  switch (random.integer(0, 4)) {
    case 0: {
      const std::int64_t count = random.integer(1, std::min<std::int64_t>(total_q, 40));
      return testing::random_rectangles(total_q, total_k, count,
                                        static_cast<std::uint64_t>(random.integer(0, 1 << 30)));
    }
    case 1: {
      const std::int64_t block_q = random.integer(1, total_q), block_k = random.integer(1, total_k);
      const std::int64_t rows = (total_q + block_q - 1) / block_q, columns = (total_k + block_k - 1) / block_k;
      if (rows * columns > 2'000) return random_mask(random, size);
      std::vector<std::uint8_t> visible(static_cast<std::size_t>(rows * columns));
      for (std::uint8_t& block : visible) block = random.chance(0.5);
      return Mask::from_blocks(total_q, total_k, block_q, block_k, visible);
    }
    case 2: {
      const auto lengths = random.lengths(8, size / 6 + 1);
      std::vector<std::int64_t> cu = {0}, padded = {random.integer(0, 3)};
      for (const std::int64_t length : lengths) {
        cu.push_back(cu.back() + length);
        padded.push_back(padded.back() + length + random.integer(0, 3));
      }
      return Mask::from_documents(Documents::from_padded(cu, padded), random.rule(size / 4 + 1));
    }
    case 3: {
      const auto lengths_q = random.lengths(8, size / 6 + 1);
      auto lengths_k = lengths_q;
      for (std::int64_t& length : lengths_k) length = random.integer(0, size / 6 + 1);
      return Mask::from_documents(Documents::from_lengths(lengths_q, lengths_k), random.rule(size / 4 + 1));
    }
    default:
      return Mask::from_documents(Documents::from_lengths(random.lengths(12, size / 8 + 1)),
                                  random.chance(0.5) ? DocumentMask{} : random.rule(size / 4 + 1));
  }
}

template <class Choices>
auto one_of(Random& random, const Choices& choices) {
  return choices[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(std::size(choices)) - 1))];
}

Cluster random_cluster(Random& random, std::int32_t most_ranks) {
  Cluster cluster = {.ranks = static_cast<std::int32_t>(random.integer(1, most_ranks))};
  if (random.chance(0.6)) {
    const auto nodes = static_cast<std::int32_t>(random.integer(1, std::min(most_ranks, 8)));
    cluster.ranks_per_node = static_cast<std::int32_t>(random.integer(1, most_ranks / nodes));
    cluster.ranks = nodes * cluster.ranks_per_node;
  }
  // Links slow enough that transfers matter on masks of a hundred tokens.
  cluster.across_nodes.bytes_per_second = one_of(random, std::array{1e6, 1e9, 45e9});
  cluster.compute.forward_flops = one_of(random, std::array{1e9, 1e12, 400e12});
  cluster.compute.tile = one_of(random, std::array{TileShape{1, 1}, TileShape{16, 8}, TileShape{128, 128}});
  cluster.compute.step_seconds = random.chance(0.5) ? 0 : 10e-6;
  return cluster;
}

Options random_options(Random& random) {
  Options options = {.dispatch = one_of(random, all_dispatches()),
                     .exchange = one_of(random, all_exchanges()),
                     .stages = static_cast<std::int32_t>(random.integer(0, 4)),
                     .token_slack = one_of(random, std::array{0.0, 0.0, 0.05, 0.25, 1.0}),
                     .tolerance = one_of(random, std::array{0.0, 0.02, 0.2}),
                     .chunk = random.chance(0.5) ? 0 : random.integer(1, 20),
                     .top_p = one_of(random, std::array{0.01, 0.25, 1.0})};
  if (random.chance(0.5)) options.layer = {.heads_q = 4, .heads_kv = 4, .dim_qk = 16, .dim_v = 16};
  if (random.chance(0.3)) options.passes = {.forward = 1, .backward = 1};
  return options;
}

/// One plan of a test.
struct Draw {
  std::uint64_t seed;
  Mask mask;
  Cluster cluster;
  Options options;
};

std::string shown(const Draw& draw) {
  const Options& options = draw.options;
  return text("Random(", draw.seed, "): ", draw.mask.total_q(), " x ", draw.mask.total_k(),
              testing::describe(draw.mask.slices()), "\n  ranks ", draw.cluster.ranks, ", a node ",
              draw.cluster.ranks_per_node, ", tile ", draw.cluster.compute.tile.rows, " x ",
              draw.cluster.compute.tile.keys, ", dispatch ", name_of(options.dispatch), ", exchange ",
              name_of(options.exchange), ", stages ", options.stages, ", slack ", options.token_slack, ", tolerance ",
              options.tolerance, ", chunk ", options.chunk, ", top_p ", options.top_p, ", heads ",
              options.layer.heads_q, " / ", options.layer.heads_kv);
}

/// True if \p judge finds nothing and does not throw.
template <class Judge>
bool passes(const Draw& draw, const Judge& judge) {
  std::string found;
  try {
    found = testing::joined(judge());
  } catch (const std::exception& error) {
    found = text("\n  throws: ", error.what());
  }
  if (found.empty()) return true;
  ADD_FAILURE() << shown(draw) << found;
  return false;
}

/// Any owner for any row: pieces of a few rows.
std::vector<OwnedRange> random_owners(Random& random, std::int64_t total, std::int32_t ranks) {
  std::vector<OwnedRange> owned;
  const std::int64_t longest = random.integer(1, total + 1);
  for (std::int64_t row = 0; row < total; row = owned.back().rows.end) {
    const auto rank = static_cast<std::int32_t>(random.integer(0, ranks - 1));
    owned.push_back({{row, std::min(total, row + random.integer(1, longest))}, rank});
  }
  return owned;
}

/// With a visible pair, and \p size queries at most.
Mask visible_mask(Random& random, std::int64_t size) {
  Mask mask = random_mask(random, size);
  while (mask.slices().empty() || mask.total_q() > size) mask = random_mask(random, size);
  return mask;
}

std::size_t hops(const Exchange& exchange) {
  std::size_t count = 0;
  for (const Stage& stage : exchange.stages()) count += stage.size();
  return count;
}

bool moves_queries(const Exchange& exchange) {
  for (const Stage& stage : exchange.stages()) {
    for (const Hop& hop : stage) {
      if (std::any_of(hop.begin(), hop.end(), [](const Transfer& t) { return t.payload == Payload::queries; }))
        return true;
    }
  }
  return false;
}

TEST(PlanFuzz, ExchangesOnRandomPlacementsPassTheChecker) {
  constexpr std::uint64_t seed = 3'000'000;
  int failures = 0;
  std::uint64_t moving_queries = 0, passing_on = 0, in_stages = 0;
  for (std::uint64_t i = 0; i < small_plans / 2 && failures < 5; ++i) {
    Random random(seed + i);
    const bool large = i % 32 == 0;
    const Draw draw = {seed + i, visible_mask(random, large ? 20'000 : 90), random_cluster(random, large ? 70 : 16),
                       random_options(random)};
    const Mask& mask = draw.mask;
    const std::int32_t ranks = draw.cluster.ranks;
    const Placement placement =
        mask.total_q() == mask.total_k() && random.chance(0.8)
            ? Placement::together(ranks, mask.total_q(), random_owners(random, mask.total_q(), ranks))
            : Placement::apart(ranks, mask.total_q(), random_owners(random, mask.total_q(), ranks), mask.total_k(),
                               random_owners(random, mask.total_k(), ranks));
    failures += !passes(draw, [&] {
      const Exchange exchange = make_exchange(mask, placement, draw.cluster, draw.options);
      const auto slices = [&](std::int32_t rank, std::int32_t step) {
        return step_slices(mask, placement, exchange, rank, step);
      };
      moving_queries += exchange.kind() == ExchangeKind::qo && moves_queries(exchange);
      passing_on += exchange.kind() == ExchangeKind::hierarchical && hops(exchange) > exchange.stages().size();
      in_stages += exchange.kind() != ExchangeKind::ring && exchange.stages().size() > 1;
      const testing::ExchangeParts parts = {mask, placement, draw.cluster, exchange};
      Violations found = testing::exchange_violations(parts, Depth::fast, slices);
      if (found.empty() && !large) found = testing::exchange_violations(parts, Depth::exhaustive, slices);
      return found;
    });
  }
  // What is hard happens often enough.
  EXPECT_GT(moving_queries, small_plans / 100);
  EXPECT_GT(passing_on, small_plans / 100);
  EXPECT_GT(in_stages, small_plans / 20);
  std::cout << small_plans / 2 << " placements\n";
}

/// An exchange as lists that can be changed.
struct Lists {
  struct Item {
    Transfer transfer;
    std::vector<Range> ranges;
  };
  ExchangeKind kind;
  std::vector<std::vector<std::vector<Item>>> stages;

  explicit Lists(const Exchange& exchange) : kind(exchange.kind()) {
    for (const Stage& stage : exchange.stages()) {
      stages.emplace_back();
      for (const Hop& hop : stage) {
        stages.back().emplace_back();
        for (const Transfer& transfer : hop) {
          const auto ranges = exchange.ranges(transfer);
          stages.back().back().push_back({transfer, {ranges.begin(), ranges.end()}});
        }
      }
    }
  }
  Exchange exchange() const {
    std::vector<Stage> result;
    std::vector<Range> ranges;
    for (const auto& stage : stages) {
      result.emplace_back();
      for (const auto& hop : stage) {
        result.back().emplace_back();
        for (Item item : hop) {
          item.transfer.first = static_cast<std::int64_t>(ranges.size());
          item.transfer.count = static_cast<std::int64_t>(item.ranges.size());
          item.transfer.rows = 0;
          for (const Range range : item.ranges) item.transfer.rows += range.size();
          ranges.insert(ranges.end(), item.ranges.begin(), item.ranges.end());
          result.back().back().push_back(item.transfer);
        }
      }
    }
    return Exchange(kind, std::move(result), std::move(ranges));
  }
};

/// Changes one transfer so that the exchange is wrong; says how, or nothing where that cannot be done.
std::string spoil(Random& random, Lists& lists) {
  std::vector<std::array<std::size_t, 3>> places;
  for (std::size_t s = 0; s < lists.stages.size(); ++s) {
    for (std::size_t h = 0; h < lists.stages[s].size(); ++h) {
      for (std::size_t t = 0; t < lists.stages[s][h].size(); ++t) places.push_back({s, h, t});
    }
  }
  if (places.empty()) return "";
  const auto [s, h, t] = one_of(random, places);
  auto& hop = lists.stages[s][h];
  Lists::Item& item = hop[t];
  const auto at = static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(item.ranges.size()) - 1));
  const std::string where = text("stage ", s, " hop ", h, " transfer ", t);
  switch (random.integer(0, 3)) {
    case 0:
      if (item.ranges[at].size() == 1) {
        if (item.ranges.size() == 1) return "";
        item.ranges.erase(item.ranges.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        random.chance(0.5) ? ++item.ranges[at].begin : --item.ranges[at].end;
      }
      return where + " loses a row";
    case 1:
      if (at + 1 < item.ranges.size() && item.ranges[at + 1].begin == item.ranges[at].end + 1) return "";
      ++item.ranges[at].end;
      return where + " gets a row";
    case 2: {
      lists.stages.push_back({{item}});
      return where + " again at the end";
    }
    default: hop.erase(hop.begin() + static_cast<std::ptrdiff_t>(t)); return where + " is lost";
  }
}

TEST(PlanFuzz, EveryChangeOfAnExchangeIsCaught) {
  constexpr std::uint64_t seed = 2'000'000;
  std::array<std::uint64_t, 5> changes{};  // by kind
  int failures = 0;
  for (std::uint64_t i = 0; i < small_plans / 2 && failures < 5; ++i) {
    Random random(seed + i);
    const Draw draw = {seed + i, visible_mask(random, 60), random_cluster(random, 9), random_options(random)};
    const Mask& mask = draw.mask;
    const std::int32_t ranks = draw.cluster.ranks;
    const Placement placement = Placement::apart(ranks, mask.total_q(), random_owners(random, mask.total_q(), ranks),
                                                 mask.total_k(), random_owners(random, mask.total_k(), ranks));
    Lists lists(make_exchange(mask, placement, draw.cluster, draw.options));
    const std::string how = spoil(random, lists);
    if (how.empty()) continue;
    ++changes[static_cast<std::size_t>(lists.kind)];
    const Exchange exchange = lists.exchange();
    for (const Depth depth : {Depth::exhaustive, Depth::fast}) {
      if (!testing::exchange_violations({mask, placement, draw.cluster, exchange}, depth).empty()) continue;
      ADD_FAILURE() << shown(draw) << "\n  " << (depth == Depth::fast ? "fast: " : "exhaustive: ") << how;
      ++failures;
    }
  }
  for (std::size_t kind = 0; kind < changes.size(); ++kind) {
    EXPECT_GT(changes[kind], small_plans / 50) << name_of(all_exchanges()[kind]);
  }
}

TEST(PlanFuzz, RandomMasksPassTheChecker) {
  constexpr std::uint64_t seed = 4'000'000;
  int failures = 0;
  for (std::uint64_t i = 0; i < small_plans && failures < 5; ++i) {
    Random random(seed + i);
    Draw draw = {seed + i, visible_mask(random, 90), random_cluster(random, i % 16 == 0 ? 40 : 9),
                 random_options(random)};
    if (draw.options.dispatch == Dispatch::exact) {
      // All assignments of whole chunks are tried: about 6 of them, or one a rank.
      draw.options.chunk = (draw.mask.total_q() + 5) / 6;
      if (draw.cluster.ranks > 9) draw.cluster = random_cluster(random, 9);
    }
    failures += !passes(draw, [&] {
      const Plan plan = solve(draw.mask, draw.cluster, draw.options);
      const Violations found = testing::plan_violations(plan, Depth::exhaustive);
      return found.empty() ? testing::plan_violations(plan, Depth::fast) : found;
    });
  }
  std::cout << small_plans << " masks\n";
}

TEST(PlanFuzz, LargeRandomMasksPassTheChecker) {
  constexpr std::uint64_t seed = 5'000'000;
  int failures = 0;
  for (std::uint64_t i = 0; i < large_plans && failures < 5; ++i) {
    Random random(seed + i);
    Draw draw = {seed + i, visible_mask(random, 20'000), random_cluster(random, 70), random_options(random)};
    if (draw.options.dispatch == Dispatch::exact) draw.options.dispatch = Dispatch::balanced;
    draw.options.chunk *= 16;
    failures += !passes(
        draw, [&] { return testing::plan_violations(solve(draw.mask, draw.cluster, draw.options), Depth::fast); });
  }
  std::cout << large_plans << " masks\n";
}

}  // namespace
}  // namespace caesura::solver
