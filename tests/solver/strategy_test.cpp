// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/dispatch.hpp>
#include <caesura/solver/strategy.hpp>
#include <support/errors.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace caesura::solver {
namespace {

using testing::expect_error;
using testing::expect_invalid;
using Shardings = std::vector<Sharding>;

constexpr Sharding batch = Sharding::batch, heads = Sharding::heads, context = Sharding::context,
                   replicate = Sharding::replicate;

/// \p rows rows of 256 tokens, each documents of 100, 80 and 76.
Mask packed(std::int64_t rows) {
  std::vector<std::int32_t> cu;
  for (std::int64_t row = 0; row < rows; ++row) cu.insert(cu.end(), {0, 100, 180, 256});
  return Mask::from_documents(Documents::from_batch(cu, rows, 256));
}

/// \p rows rows of one causal document each.
Mask long_documents(std::int64_t rows, std::int64_t length) {
  return Mask::from_documents(
      Documents::from_lengths(std::vector<std::int64_t>(static_cast<std::size_t>(rows), length)));
}

const StrategyCandidate& candidate(const Strategy& strategy, const Shardings& shardings) {
  const auto at = std::find_if(strategy.candidates.begin(), strategy.candidates.end(),
                               [&](const StrategyCandidate& c) { return c.shardings == shardings; });
  if (at != strategy.candidates.end()) return *at;
  ADD_FAILURE() << "no such candidate";
  return strategy.candidates.front();
}

void expect_reason(const Strategy& strategy, const Shardings& shardings, const std::string& part) {
  const std::string& reason = candidate(strategy, shardings).reason;
  EXPECT_NE(reason.find(part), std::string::npos) << "expected \"" << part << "\" in: " << reason;
}

TEST(Strategy, ADataParallelMeshShardsTheBatch) {
  const Mesh mesh = {{{"dp", 256}}};
  const Strategy strategy = choose_strategy(packed(256), mesh, {.batch = 256});
  EXPECT_EQ(strategy.chosen().shardings, Shardings{batch}) << table(strategy, mesh);
  EXPECT_EQ(strategy.chosen().cost->bytes, 0);
  expect_reason(strategy, {batch}, "Chosen: ");
  expect_reason(strategy, {heads}, "heads_q = 64 is not a multiple of 256.");
  expect_reason(strategy, {replicate}, "Repeats the work on 256 ranks and takes ");
  EXPECT_EQ(strategy.candidates.size(), 4u);
}

TEST(Strategy, RowsOfRandomDocumentsAreStillSharded) {
  constexpr std::uint64_t seed = 407;
  testing::Random random(seed);
  for (int i = 0; i < 10; ++i) {
    std::vector<std::int64_t> lengths;
    for (int row = 0; row < 256; ++row) {
      for (std::int64_t rest = 1024; rest > 0; rest -= lengths.back()) lengths.push_back(random.integer(1, rest));
    }
    const Mask mask = Mask::from_documents(Documents::from_lengths(lengths));
    const Mesh one = {{{"dp", 256}}}, two = {{{"dp", 32}, {"tp", 8}}};
    const Strategy data = choose_strategy(mask, one, {.batch = 256});
    EXPECT_EQ(data.chosen().shardings, Shardings{batch}) << "seed " << seed << " draw " << i << "\n"
                                                         << table(data, one);
    const Strategy both = choose_strategy(mask, two, {.batch = 256});
    // Whole documents, dealt to ranks without regard to rows, are more even and move nothing either.
    const bool by_context = both.chosen().shardings == Shardings{context, heads} && both.chosen().cost->bytes == 0;
    EXPECT_TRUE(by_context || both.chosen().shardings == (Shardings{batch, heads}))
        << "seed " << seed << " draw " << i << "\n"
        << table(both, two);
  }
}

TEST(Strategy, ADataAndTensorParallelMeshShardsBatchAndHeads) {
  const Mesh mesh = {{{"dp", 32}, {"tp", 8}}};
  // Also where the batch would do for both axes.
  for (const std::int64_t rows : {32, 64, 256}) {
    const Strategy strategy = choose_strategy(packed(rows), mesh, {.batch = rows});
    EXPECT_EQ(strategy.chosen().shardings, (Shardings{batch, heads})) << rows << " rows\n" << table(strategy, mesh);
    EXPECT_EQ(strategy.candidates.size(), 16u);
    expect_reason(strategy, {heads, batch}, "heads_kv = 8 is not a multiple of 32.");
    expect_reason(strategy, {batch, replicate}, "Repeats the work on 8 ranks and takes ");
    expect_reason(strategy, {batch, batch},
                  rows == 256 ? "No better than (batch, heads), which comes first among equals."
                              : text("batch = ", rows, " is not a multiple of 256."));
  }
}

TEST(Strategy, HeadsAreShardedOnlyWhereBothCountsDivide) {
  const Mesh mesh = {{{"tp", 4}}};
  const auto chosen = [&](std::int32_t heads_q, std::int32_t heads_kv) {
    const LayerShape layer = {.heads_q = heads_q, .heads_kv = heads_kv, .dim_qk = 64, .dim_v = 64};
    return choose_strategy(long_documents(1, 8192), mesh, {.plan = {.layer = layer}});
  };
  EXPECT_EQ(chosen(8, 4).chosen().shardings, Shardings{heads});
  const Strategy few_keys = chosen(8, 2);
  EXPECT_EQ(few_keys.chosen().shardings, Shardings{context}) << table(few_keys, mesh);
  expect_reason(few_keys, {heads}, "heads_kv = 2 is not a multiple of 4.");
  expect_reason(few_keys, {batch}, "batch = 1 is not a multiple of 4.");
  expect_reason(chosen(6, 6), {heads}, "heads_q = 6 is not a multiple of 4.");
  // Who has all tokens of his heads needs all offsets.
  EXPECT_EQ(sharded_dimension(heads), 2);
  EXPECT_EQ(sharded_dimension_of_cu_seqlens(heads), std::nullopt);
  EXPECT_EQ(sharded_dimension(batch), 0);
  EXPECT_EQ(sharded_dimension_of_cu_seqlens(batch), 0);
  EXPECT_EQ(sharded_dimension(context), 1);
  EXPECT_EQ(sharded_dimension_of_cu_seqlens(context), std::nullopt);
  EXPECT_EQ(sharded_dimension(replicate), std::nullopt);
}

TEST(Strategy, AmongEqualsBatchComesBeforeHeads) {
  const Mesh one = {{{"x", 8}}};
  EXPECT_EQ(choose_strategy(packed(8), one, {.batch = 8}).chosen().shardings, Shardings{batch});
  const Mesh two = {{{"x", 4}, {"y", 4}}};
  const LayerShape layer = {.heads_q = 16, .heads_kv = 16};
  const Strategy strategy = choose_strategy(packed(16), two, {.batch = 16, .plan = {.layer = layer}});
  EXPECT_EQ(strategy.chosen().shardings, (Shardings{batch, heads})) << table(strategy, two);
  EXPECT_EQ(*candidate(strategy, {heads, batch}).cost, *strategy.chosen().cost);
}

TEST(Strategy, UnevenRowsAreEvenedOutByHeads) {
  // One row of the batch is a long document, seven are short ones: a rank a row would wait for the long one.
  std::vector<std::int64_t> lengths = {4096};
  for (int i = 0; i < 7 * 64; ++i) lengths.push_back(64);
  const Mesh mesh = {{{"x", 8}}};
  const Strategy strategy = choose_strategy(Mask::from_documents(Documents::from_lengths(lengths)), mesh, {.batch = 8});
  EXPECT_EQ(strategy.chosen().shardings, Shardings{heads}) << table(strategy, mesh);
  expect_reason(strategy, {heads}, "takes the least time.");
  expect_reason(strategy, {batch}, "; (heads) takes ");
}

TEST(Strategy, ReplicatingLosesByTimeAndWinsByTime) {
  Mesh mesh = {{{"cp", 8}}};
  const LayerShape layer = {.heads_q = 5, .heads_kv = 5};
  const Strategy large = choose_strategy(long_documents(1, 32768), mesh, {.plan = {.layer = layer}});
  EXPECT_EQ(large.chosen().shardings, Shardings{context}) << table(large, mesh);
  EXPECT_GT(large.chosen().cost->bytes, 0);
  EXPECT_EQ(candidate(large, {replicate}).cost->bytes, 0);
  expect_reason(large, {replicate}, "Repeats the work on 8 ranks and takes ");
  // Where keys take longer to come than all of the work, everybody does all of it.
  mesh.axes[0].link.bytes_per_second = 1e6;
  const Strategy slow = choose_strategy(long_documents(1, 512), mesh, {.plan = {.layer = layer}});
  EXPECT_EQ(slow.chosen().shardings, Shardings{replicate}) << table(slow, mesh);
  expect_reason(slow, {context}, "a rank; (replicate) moves 0 B.");
}

TEST(Strategy, MemoryForcesALongDocumentIntoContext) {
  // Two heads of keys and two rows: data and tensor parallelism alone leave a whole document to a rank.
  Mesh mesh = {{{"dp", 2}, {"cp", 4, {.bytes_per_second = 1e8}}, {"tp", 2}}};
  const Mask mask = long_documents(2, 65536);
  StrategyOptions options = {.batch = 2, .plan = {.layer = {.heads_q = 16, .heads_kv = 2}}};
  const Strategy unlimited = choose_strategy(mask, mesh, options);
  EXPECT_EQ(unlimited.chosen().shardings, (Shardings{batch, replicate, heads})) << table(unlimited, mesh);
  EXPECT_EQ(unlimited.candidates.size(), 64u);

  options.memory_limit = unlimited.chosen().cost->memory / 2;
  const Strategy limited = choose_strategy(mask, mesh, options);
  EXPECT_EQ(limited.chosen().shardings, (Shardings{batch, context, heads})) << table(limited, mesh);
  EXPECT_GT(limited.chosen().cost->bytes, 0);
  EXPECT_LE(limited.chosen().cost->memory, options.memory_limit);
  expect_reason(limited, {batch, replicate, heads}, "a rank; the limit is ");
  expect_reason(limited, {batch, replicate, heads}, "Needs ");
  // Context takes any number of ranks.
  mesh.axes[1].size = 7;
  EXPECT_EQ(choose_strategy(mask, mesh, options).chosen().shardings, (Shardings{batch, context, heads}));
}

TEST(Strategy, BytesTimeAndMemoryFollowTheirDefinition) {
  const Mesh mesh = {{{"cp", 4, {.bytes_per_second = 1e9}}}};
  const LayerShape layer = {.heads_q = 6, .heads_kv = 3, .dim_qk = 32, .dim_v = 16, .scalar_bytes = 2};
  const Mask mask = Mask::from_documents(Documents::from_lengths({3000, 1000}));
  const Options plan = {.dispatch = Dispatch::contiguous, .layer = layer};
  const StrategyOptions options = {.plan = plan};
  const Strategy forward = choose_strategy(mask, mesh, options);
  const Cluster cluster = {.ranks = 4, .across_nodes = {.bytes_per_second = 1e9}};
  const PlacementCost expected = cost_of(mask, dispatch(mask, cluster, plan), cluster, plan);
  std::int64_t rows = 0, received = 0;
  for (std::size_t rank = 0; rank < 4; ++rank) {
    rows = std::max({rows, expected.receive_rows[rank], expected.send_rows[rank]});
    received = std::max(received, expected.receive_rows[rank]);
  }
  constexpr std::int64_t key_bytes = 3 * (32 + 16) * 2, query_bytes = 6 * 32 * 2, output_bytes = 6 * (16 * 2 + 4);
  const StrategyCost cost = *candidate(forward, {context}).cost;
  EXPECT_EQ(cost.bytes, rows * key_bytes);
  EXPECT_DOUBLE_EQ(cost.seconds, expected.step_seconds);
  EXPECT_EQ(cost.memory, 1000 * (key_bytes + query_bytes + output_bytes) + received * key_bytes);
  EXPECT_EQ(candidate(forward, {replicate}).cost->memory, 4000 * (key_bytes + query_bytes + output_bytes));
  EXPECT_DOUBLE_EQ(candidate(forward, {replicate}).cost->seconds,
                   compute_seconds(work(mask.slices(), cluster.compute), layer, cluster.compute, plan.passes));

  // A backward brings the rows once more, takes float gradients home, and needs a gradient for each of q, k, v and out.
  StrategyOptions both = options;
  both.plan.passes = {.forward = 1, .backward = 1};
  const StrategyCost trained = *candidate(choose_strategy(mask, mesh, both), {context}).cost;
  EXPECT_EQ(trained.bytes, rows * key_bytes * 4);
  EXPECT_EQ(trained.memory, 1000 * (2 * (key_bytes + query_bytes + output_bytes) - 6 * 4) + received * key_bytes * 3);
}

TEST(Strategy, PartsOfABatchAreApartOnlyWhereNothingCrosses) {
  const Mesh mesh = {{{"dp", 2}}};
  const Strategy strategy = choose_strategy(long_documents(1, 512), mesh, {.batch = 2});
  expect_reason(strategy, {batch}, "Queries [0, 512) see keys [0, 512) of another part of the batch.");
  EXPECT_EQ(strategy.chosen().shardings, Shardings{heads});
  // Two rows a part: documents may cross rows, not parts.
  const Mask pairs_of_rows = long_documents(2, 512);
  EXPECT_EQ(choose_strategy(pairs_of_rows, mesh, {.batch = 4}).chosen().shardings, Shardings{batch});
}

TEST(Strategy, AnAxisOfOneRankReplicates) {
  const Mesh mesh = {{{"dp", 1}, {"tp", 8}, {"pp", 1}}};
  const Strategy strategy = choose_strategy(packed(8), mesh, {.batch = 8});
  EXPECT_EQ(strategy.chosen().shardings, (Shardings{replicate, batch, replicate}));
  EXPECT_EQ(strategy.candidates.size(), 4u);
  const Mesh alone = {{{"dp", 1}}};
  const Strategy single = choose_strategy(packed(8), alone, {.batch = 8});
  EXPECT_EQ(single.chosen().shardings, Shardings{replicate});
  expect_reason(single, {replicate}, "Chosen: no other can be, fits and repeats no work.");
}

TEST(Strategy, TheTableHasALineACandidate) {
  const Mesh mesh = {{{"dp", 32}, {"tp", 8}}};
  const Strategy strategy = choose_strategy(packed(64), mesh, {.batch = 64});
  const std::string text = table(strategy, mesh);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 17) << text;
  EXPECT_EQ(text.find("dp (32)"), 0u) << text;
  EXPECT_NE(text.find("\nbatch      heads      0 B"), std::string::npos) << text;
  EXPECT_NE(text.find("heads_q = 64 is not a multiple of 256."), std::string::npos) << text;
  // The chosen one, then what can be by bytes, then the rest.
  bool possible = true;
  for (std::size_t i = 1; i < strategy.candidates.size(); ++i) {
    const auto& cost = strategy.candidates[i].cost;
    EXPECT_TRUE(possible || !cost) << text;
    possible = cost.has_value();
    if (cost && i > 1) {
      EXPECT_GE(cost->bytes, strategy.candidates[i - 1].cost->bytes) << text;
    }
    EXPECT_EQ(strategy.candidates[i].reason.back(), '.') << strategy.candidates[i].reason;
  }
}

TEST(Strategy, ALimitThatNothingFitsSaysWhatTheSmallestNeeds) {
  const Mesh mesh = {{{"dp", 2}, {"tp", 4}}};
  const Mask mask = packed(2);
  const auto choose = [&](std::int64_t limit) {
    return choose_strategy(mask, mesh, {.batch = 2, .memory_limit = limit});
  };
  // 256 tokens of 16 query heads and 2 key heads.
  const std::int64_t least = 256 * (16 * 128 * 2 + 16 * (128 * 2 + 4) + 2 * 256 * 2);
  EXPECT_EQ(choose(least).chosen().shardings, (Shardings{batch, heads}));
  expect_error(ErrorKind::resources,
               {"choose_strategy: memory_limit = ", "must be at least ",
                " bytes a rank, what the smallest candidate, (", "), needs"},
               [&] { choose(1000); });
  try {
    choose(1000);
  } catch (const Error& error) {
    // What it says is enough, and one byte less is not.
    const std::string message = error.what();
    const std::string words = "must be at least ";
    const std::int64_t said = std::stoll(message.substr(message.find(words) + words.size()));
    EXPECT_NO_THROW(choose(said));
    expect_error(ErrorKind::resources, {"choose_strategy"}, [&] { choose(said - 1); });
  }
}

TEST(Strategy, WrongInputSaysWhatIsWrong) {
  const Mask mask = packed(4);
  const auto with = [&](const Mesh& mesh, const StrategyOptions& options = {}) {
    return [&mask, mesh, options] { choose_strategy(mask, mesh, options); };
  };
  expect_invalid({"choose_strategy: mesh has 0 axes: must have 1 to 6"}, with({}));
  expect_invalid({"mesh has 7 axes"}, with({{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, {"f", 1}, {"g", 1}}}));
  expect_invalid({"choose_strategy: axes[1].name: must not be empty"}, with({{{"dp", 2}, {"", 2}}}));
  expect_invalid({"choose_strategy: axes[1].name = dp: must not stand twice"}, with({{{"dp", 2}, {"dp", 2}}}));
  expect_invalid({"choose_strategy: tp.size = 0: must be at least 1"}, with({{{"dp", 2}, {"tp", 0}}}));
  expect_invalid({"choose_strategy: tp.size = 65536: makes more than 2147483647 ranks"},
                 with({{{"dp", 65536}, {"tp", 65536}}}));
  expect_invalid({"choose_strategy: dp.link.bytes_per_second = 0: must be finite and positive"},
                 with({{{"dp", 2, {.bytes_per_second = 0}}}}));
  expect_invalid({"choose_strategy: dp.link.latency_seconds = -1: must be finite and not negative"},
                 with({{{"dp", 2, {.latency_seconds = -1}}}}));
  const Mesh mesh = {{{"dp", 2}}};
  expect_invalid({"choose_strategy: batch = 0: must be at least 1"}, with(mesh, {.batch = 0}));
  expect_invalid({"choose_strategy: batch = 3: must divide the mask's totals, 1024 and 1024"},
                 with(mesh, {.batch = 3}));
  expect_invalid({"choose_strategy: memory_limit = -1: must be 0 (none) or more bytes"},
                 with(mesh, {.memory_limit = -1}));
  expect_invalid({"choose_strategy: compute.forward_flops = 0: must be finite and positive"},
                 with(mesh, {.compute = {.forward_flops = 0}}));
  expect_invalid({"choose_strategy: heads_q = 5: must be a multiple of heads_kv = 2"},
                 with(mesh, {.plan = {.layer = {.heads_q = 5, .heads_kv = 2}}}));
  expect_invalid({"choose_strategy: mask: has no visible pair, must have at least one"},
                 [&] { choose_strategy(Mask::from_slices(8, 8, {}), mesh); });
}

}  // namespace
}  // namespace caesura::solver
