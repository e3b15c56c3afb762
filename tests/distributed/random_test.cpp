// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/distributed_case.hpp>
#include <support/random_problem.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

/// Any mask on any placement: queries and keys apart, ranks without queries, without keys, without either.
template <AttentionScalar Scalar>
bool check(std::uint64_t seed, solver::ExchangeKind exchange) {
  RandomProblem random = random_problem(seed, 120, 6);
  random.options.exchange = exchange;
  const solver::Plan plan(random.mask, random.placement, random.cluster, random.options);
  const solver::LayerShape& layer = random.options.layer;
  Problem problem(random.mask, {layer.heads_q, layer.heads_kv, layer.dim_qk, layer.dim_v}, seed);
  Random choice(seed);
  if (choice.chance(0.4)) problem.add_sink(choice.integer(1, 2), seed + 1);
  if (choice.chance(0.4)) problem.options.softcap = 3;
  if (choice.chance(0.4)) problem.options.dropout = {.probability = 0.3, .seed = seed, .offset = 2};
  const DistributedRun run = {.keeps_keys = choice.chance(0.5), .steps = choice.chance(0.3) ? 2 : 1};
  SCOPED_TRACE(text("seed ", seed, ", ", solver::name_of(exchange), ", ", plan.cluster().ranks, " ranks, ",
                    plan.exchange().stages().size(), " stages", run.keeps_keys ? ", kept, " : ", fetched again, ",
                    describe(problem)));
  const Results expected = expected_results(problem);
  expect_close(problem, expected, run_in_process<Scalar>(problem, plan, run), scalar_type_v<Scalar>,
               scalar_type_v<Scalar>);
  if (exchange != solver::ExchangeKind::qo) {
    const DistributedRun reproducible = {.results = caesura::Results::reproducible, .keeps_keys = run.keeps_keys};
    expect_close(problem, expected, run_in_process<Scalar>(problem, plan, reproducible), scalar_type_v<Scalar>,
                 scalar_type_v<Scalar>);
  }
  return moves_queries(plan);
}

TEST(DistributedRandom, ProblemsEqualOneRank) {
  int moving = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    for (const solver::ExchangeKind exchange : solver::all_exchanges()) {
      moving += check<double>(seed, exchange);
      if (seed % 4 == 0) check<bfloat16>(seed, exchange);
      if (::testing::Test::HasFailure()) return;
    }
  }
  EXPECT_GT(moving, 10) << "plans in which queries move";
}

}  // namespace
}  // namespace caesura::testing
