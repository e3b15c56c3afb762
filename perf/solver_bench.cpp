// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/packs.hpp"
#include <caesura/solver/plan.hpp>
#include <caesura/solver/plan_cache.hpp>
#include <caesura/solver/workload.hpp>

#include <benchmark/benchmark.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

// How long a plan takes on one thread: dispatch, exchange, and all of it, 8,192 tokens a rank, causal documents; and how
// long the cache takes to find one again. Lowering is not part of it.

namespace {

using namespace caesura;

constexpr std::int64_t tokens_per_rank = 8192;

Mask mask_of(const std::string& data_set, std::int64_t tokens) {
  const auto lengths = [&]() -> std::vector<std::int64_t> {
    if (data_set == "histogram") return perf::pack_of_histogram(tokens, 1);
    if (data_set == "one_document") return {tokens};
    return perf::pack_of_file(std::string(CAESURA_DATA_DIR) + "/" + data_set + ".txt", tokens);
  };
  return Mask::from_documents(Documents::from_lengths(lengths()));
}

solver::Cluster cluster_of(int ranks) { return {.ranks = ranks, .ranks_per_node = 8}; }

/// Made once for all benchmarks of a problem, when the first of them runs.
struct Problem {
  Mask mask;
  solver::Cluster cluster;
  solver::Plan plan;
};

const Problem& problem(const std::string& data_set, int ranks) {
  static std::map<std::pair<std::string, int>, Problem> problems;
  const std::pair key(data_set, ranks);
  auto found = problems.find(key);
  if (found == problems.end()) {
    const Mask mask = mask_of(data_set, tokens_per_rank * ranks);
    const solver::Cluster cluster = cluster_of(ranks);
    found = problems.emplace(key, Problem{mask, cluster, solver::solve(mask, cluster)}).first;
  }
  return found->second;
}

void count(benchmark::State& state, const Problem& problem) {
  state.counters["documents"] = static_cast<double>(problem.mask.slices().size());
  state.counters["balance"] = problem.plan.max_over_mean_tile_cost();
  state.counters["received"] = problem.plan.mean_receive_rows() / tokens_per_rank;
  state.counters["predicted_ms"] = 1e3 * problem.plan.predicted_step_seconds();
}

void dispatch(benchmark::State& state, const std::string& data_set, int ranks) {
  const Problem& given = problem(data_set, ranks);
  for (auto _ : state) benchmark::DoNotOptimize(solver::dispatch(given.mask, given.cluster).queries().data());
  count(state, given);
}

void exchange(benchmark::State& state, const std::string& data_set, int ranks) {
  const Problem& given = problem(data_set, ranks);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        solver::make_exchange(given.mask, given.plan.placement(), given.cluster, {}).stages().data());
  }
  count(state, given);
}

void solve(benchmark::State& state, const std::string& data_set, int ranks) {
  const Problem& given = problem(data_set, ranks);
  for (auto _ : state) benchmark::DoNotOptimize(solver::solve(given.mask, given.cluster).hash());
  count(state, given);
}

void plan_cache_hit(benchmark::State& state) {
  const Mask mask = Mask::from_documents(Documents::from_lengths(std::vector<std::int64_t>(20'000, 26)));
  const solver::Cluster cluster = cluster_of(64);
  solver::PlanCache cache;
  cache.get(mask, cluster);
  for (auto _ : state) benchmark::DoNotOptimize(cache.get(mask, cluster).get());
}

void tile_cost(benchmark::State& state) {
  const auto side = static_cast<std::int32_t>(state.range(0));
  std::vector<BandSlice> slices;
  for (std::int64_t i = 0; i < 1000; ++i)
    slices.push_back(BandSlice::causal({i, i + 50 + i * 37}, {i, i + 50 + i * 37}));
  for (auto _ : state) benchmark::DoNotOptimize(solver::tile_cost(slices, {side, side}));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(slices.size()));
}

BENCHMARK(plan_cache_hit);
BENCHMARK(tile_cost)->Arg(1)->Arg(100)->Arg(128);

}  // namespace

int main(int argc, char** argv) {
  for (const std::string data_set : {"mixed_pretraining", "short_messages", "histogram", "one_document"}) {
    for (const int ranks : {64, 256, 1024, 4096}) {
      const std::string name = "/" + data_set + "/ranks=" + std::to_string(ranks);
      const auto add = [&](const char* what, auto* work) {
        benchmark::RegisterBenchmark((what + name).c_str(), work, data_set, ranks)->Unit(benchmark::kMillisecond);
      };
      add("dispatch", dispatch);
      add("exchange", exchange);
      add("solve", solve);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
