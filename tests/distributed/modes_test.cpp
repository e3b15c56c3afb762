// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/distributed_case.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

using solver::ExchangeKind;

const Mask mask = Mask::from_documents(Documents::from_lengths({70, 0, 1, 90, 33}), {.window = {60, 0}});

solver::Plan plan_of(const HeadShape& heads, std::int32_t ranks, ExchangeKind exchange) {
  return solver::solve(mask, {.ranks = ranks},
                       {.exchange = exchange,
                        .stages = 2,
                        .layer = {.heads_q = static_cast<std::int32_t>(heads.heads_q),
                                  .heads_kv = static_cast<std::int32_t>(heads.heads_kv),
                                  .dim_qk = static_cast<std::int32_t>(heads.dim_qk),
                                  .dim_v = static_cast<std::int32_t>(heads.dim_v)}});
}

Problem full_problem(const HeadShape& heads, std::uint64_t seed) {
  Problem problem(mask, heads, seed);
  problem.options.softcap = 5;
  problem.options.dropout = {.probability = 0.2, .seed = 12, .offset = 7};
  problem.add_sink(1, seed + 1);
  return problem;
}

void expect_same_bits(const Results& a, const Results& b) {
  EXPECT_EQ(a.out.values, b.out.values) << "out";
  EXPECT_EQ(a.lse.values, b.lse.values) << "lse";
  EXPECT_EQ(a.row_max.values, b.row_max.values) << "row_max";
  EXPECT_EQ(a.dq.values, b.dq.values) << "dq";
  EXPECT_EQ(a.dk.values, b.dk.values) << "dk";
  EXPECT_EQ(a.dv.values, b.dv.values) << "dv";
  EXPECT_EQ(a.dsink.values, b.dsink.values) << "dsink";
}

TEST(DistributedDeterminism, TwoRunsHaveTheSameBits) {
  const HeadShape heads = {4, 2, 16, 24};
  const Problem problem = full_problem(heads, 121);
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    for (const bool keeps : {true, false}) {
      SCOPED_TRACE(text(solver::name_of(exchange), keeps ? ", kept" : ", fetched again"));
      const solver::Plan plan = plan_of(heads, 4, exchange);
      const Results first = run_in_process<float>(problem, plan, {.keeps_keys = keeps});
      for (int run = 0; run < 3; ++run)
        expect_same_bits(first, run_in_process<float>(problem, plan, {.keeps_keys = keeps, .steps = run + 1}));
    }
  }
}

TEST(DistributedDeterminism, KeptAndFetchedKeysGiveTheSameBits) {
  const HeadShape heads = {4, 2, 16, 24};
  const Problem problem = full_problem(heads, 122);
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    SCOPED_TRACE(solver::name_of(exchange));
    const solver::Plan plan = plan_of(heads, 3, exchange);
    expect_same_bits(run_in_process<bfloat16>(problem, plan, {.keeps_keys = true}),
                     run_in_process<bfloat16>(problem, plan, {.keeps_keys = false}));
  }
}

TEST(DistributedPlans, FromJsonGiveTheSameBits) {
  const HeadShape heads = {4, 1, 16, 16};
  const Problem problem = full_problem(heads, 123);
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    SCOPED_TRACE(solver::name_of(exchange));
    const solver::Plan plan = plan_of(heads, 3, exchange);
    const std::string json = solver::to_json(plan);
    Results got = empty_results(problem);
    std::mutex mutex;
    comm::run_in_process(3, [&](const comm::Communicator& communicator) {
      // Rank 0 solved it, the others read it.
      const solver::Plan own = communicator.rank() == 0 ? plan : solver::plan_from_json(json, "plan.json");
      run_rank<float>(communicator, problem, own, {}, got, mutex);
    });
    expect_same_bits(run_in_process<float>(problem, plan), got);
  }
}

TEST(DistributedShapes, OfAllKindsOfHeads) {
  for (const HeadShape& heads : {HeadShape{4, 4, 8, 8}, {4, 2, 12, 20}, {4, 1, 16, 16}, {6, 3, 1, 5}, {1, 1, 33, 7}}) {
    const Problem problem = full_problem(heads, 124);
    const Results expected = expected_results(problem);
    for (const ExchangeKind exchange : solver::all_exchanges()) {
      SCOPED_TRACE(text(describe(problem), ", ", solver::name_of(exchange)));
      expect_close(problem, expected, run_in_process<double>(problem, plan_of(heads, 3, exchange)), ScalarType::float64,
                   ScalarType::float64);
    }
  }
}

TEST(DistributedShapes, OfStridedTensors) {
  const HeadShape heads = {4, 2, 12, 20};
  const Problem problem = full_problem(heads, 125);
  const Results expected = expected_results(problem);
  for (const Layouts& layouts : {Layouts{Layout::padded, Layout::interleaved, Layout::heads_first},
                                 Layouts{Layout::heads_first, Layout::padded, Layout::interleaved}}) {
    for (const ExchangeKind exchange : solver::all_exchanges()) {
      for (const std::int32_t ranks : {1, 3}) {
        SCOPED_TRACE(text(solver::name_of(exchange), ", ", ranks, " ranks"));
        const solver::Plan plan = plan_of(heads, ranks, exchange);
        expect_close(problem, expected, run_in_process<float>(problem, plan, {.layouts = layouts}), ScalarType::float32,
                     ScalarType::float32);
        expect_close(problem, expected, run_in_process<half>(problem, plan, {.keeps_keys = false, .layouts = layouts}),
                     ScalarType::float16, ScalarType::float16);
      }
    }
  }
}

TEST(DistributedShapes, OfOutputsInTheAccumulatorType) {
  const HeadShape heads = {4, 2, 16, 16};
  const Problem problem = full_problem(heads, 126);
  const Results expected = expected_results(problem);
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    for (const std::int32_t ranks : {1, 3}) {
      SCOPED_TRACE(text(solver::name_of(exchange), ", ", ranks, " ranks"));
      const solver::Plan plan = plan_of(heads, ranks, exchange);
      const auto half_run = run_in_process<half, float>(problem, plan);
      expect_close(problem, expected, half_run, ScalarType::float16, ScalarType::float32);
      const auto bfloat_run = run_in_process<bfloat16, float>(problem, plan);
      expect_close(problem, expected, bfloat_run, ScalarType::bfloat16, ScalarType::float32);
    }
  }
}

TEST(DistributedGradients, AreAddedWhereAsked) {
  const HeadShape heads = {4, 2, 16, 16};
  const Problem problem = full_problem(heads, 127);
  Results expected = expected_results(problem);
  const Results there = expected;  // what is there already: the same once more
  for (auto* tensor : {&expected.dq, &expected.dk, &expected.dv, &expected.dsink}) {
    for (double& x : tensor->values) x *= 2;
  }
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    for (const std::int32_t ranks : {1, 3}) {
      SCOPED_TRACE(text(solver::name_of(exchange), ", ", ranks, " ranks"));
      const solver::Plan plan = plan_of(heads, ranks, exchange);
      Results got = empty_results(problem);
      std::mutex mutex;
      comm::run_in_process(ranks, [&](const comm::Communicator& communicator) {
        const RankSpace space = make_rank_space();
        const std::int32_t rank = communicator.rank();
        DistributedAttention<RankSpace> attention(
            space, communicator, plan,
            {.heads_q = 4, .heads_kv = 2, .dim = 16, .dim_v = 16, .type = ScalarType::float64});
        DeviceCase<double, double, RankSpace::memory_space> own(share_of(problem, plan.placement(), rank));
        own.dq.upload(take_rows(there.dq, plan.placement().queries_of(rank)));
        own.dk.upload(take_rows(there.dk, plan.placement().keys_of(rank)));
        own.dv.upload(take_rows(there.dv, plan.placement().keys_of(rank)));
        own.dsink.upload(there.dsink);
        own.options.gradients = own.options.query_gradients = GradientMode::accumulate;
        attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(), own.options);
        attention.backward(own.dout, own.q, own.k, own.v, own.out, own.lse.matrix(), own.dq, own.dk, own.dv,
                           own.options);
        space.fence();
        const Results part = own.download();
        const std::lock_guard lock(mutex);
        put_results(got, part, plan.placement(), rank);
      });
      expect_close(problem, expected, got, ScalarType::float64, ScalarType::float64);
    }
  }
}

/// Some heads of a tensor.
reference::Tensor heads_of(const reference::Tensor& whole, Range heads) {
  return block_of(whole, {0, whole.rows}, heads);
}

TEST(DistributedMeshes, OfContextAndHeadsEqualOneRank) {
  // World rank 2h + c: context c of 2, heads h of 2.
  const Problem problem = full_problem({4, 2, 16, 16}, 128);
  const Results expected = expected_results(problem);
  const HeadShape share = {2, 1, 16, 16};
  const auto problem_of = [&](std::int64_t h) {
    Problem part(mask, share, 0);
    const Range q = {2 * h, 2 * h + 2}, kv = {h, h + 1};
    part.options = problem.options;
    // Heads of a sink are its rows.
    part.options.sink = take_rows(problem.options.sink, solver::RangeSet({q}));
    part.q = heads_of(problem.q, q);
    part.dout = heads_of(problem.dout, q);
    part.k = heads_of(problem.k, kv);
    part.v = heads_of(problem.v, kv);
    return part;
  };
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    const solver::Plan plan = plan_of(share, 2, exchange);
    std::vector<Results> got = {empty_results(problem_of(0)), empty_results(problem_of(1))};
    std::mutex mutex;
    comm::run_in_process(4, [&](const comm::Communicator& world) {
      const int h = world.rank() / 2, c = world.rank() % 2;
      const comm::Communicator context = world.split(h, c);
      ASSERT_EQ(context.size(), 2);
      run_rank<float>(context, problem_of(h), plan, {.first_head = 2 * h}, got[static_cast<std::size_t>(h)], mutex);
    });
    for (const std::int64_t h : {0, 1}) {
      SCOPED_TRACE(text(solver::name_of(exchange), ", heads ", h));
      const Range q = {2 * h, 2 * h + 2}, kv = {h, h + 1};
      const Results wanted = {heads_of(expected.out, q),
                              heads_of(expected.lse, q),
                              heads_of(expected.row_max, q),
                              heads_of(expected.dq, q),
                              heads_of(expected.dk, kv),
                              heads_of(expected.dv, kv),
                              take_rows(expected.dsink, solver::RangeSet({q}))};
      expect_close(problem_of(h), wanted, got[static_cast<std::size_t>(h)], ScalarType::float32, ScalarType::float32);
    }
  }
}

}  // namespace
}  // namespace caesura::testing
