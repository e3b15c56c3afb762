// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/distributed_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

using solver::ExchangeKind;

constexpr HeadShape heads = {4, 2, 16, 16};

solver::Plan plan_of(const Mask& mask, std::int32_t ranks, ExchangeKind exchange, std::int32_t stages = 0) {
  return solver::solve(
      mask, {.ranks = ranks, .ranks_per_node = ranks % 2 == 0 ? 2 : 1},
      {.exchange = exchange,
       .stages = stages,
       .layer = {.heads_q = heads.heads_q, .heads_kv = heads.heads_kv, .dim_qk = heads.dim_qk, .dim_v = heads.dim_v}});
}

template <class Scalar>
void check(const Problem& problem, const Results& expected, const solver::Plan& plan, const DistributedRun& run = {}) {
  SCOPED_TRACE(text(describe(problem), ", ", name_of(scalar_type_v<Scalar>), ", ", plan.cluster().ranks, " ranks, ",
                    solver::name_of(plan.exchange().kind()), ", ", plan.exchange().stages().size(), " stages, ",
                    run.keeps_keys ? "kept" : "fetched again",
                    run.results == caesura::Results::reproducible ? ", reproducible" : ""));
  const Results got = run_in_process<Scalar>(problem, plan, run);
  expect_close(problem, expected, got, scalar_type_v<Scalar>, scalar_type_v<Scalar>);
}

/// Masks with something to see: the solver has no plan for others.
std::vector<NamedMask> masks() {
  std::vector<NamedMask> result = kernel_masks();
  std::erase_if(result, [](const NamedMask& named) { return named.mask.area() == 0; });
  return result;
}

TEST(DistributedExchange, EveryMaskAndKindEqualsOneRank) {
  for (const NamedMask& named : masks()) {
    const Problem problem(named.mask, heads, 81);
    const Results expected = expected_results(problem);
    for (const ExchangeKind exchange : solver::all_exchanges()) {
      for (const std::int32_t ranks : {1, 2, 4, 7}) {
        SCOPED_TRACE(named.name);
        check<double>(problem, expected, plan_of(named.mask, ranks, exchange));
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(DistributedExchange, EveryScalar) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({70, 0, 1, 90, 33}));
  const Problem problem(mask, heads, 82);
  const Results expected = expected_results(problem);
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    const solver::Plan plan = plan_of(mask, 3, exchange, 2);
    check<float>(problem, expected, plan);
    check<half>(problem, expected, plan);
    check<bfloat16>(problem, expected, plan);
  }
}

TEST(DistributedExchange, OptionsGiveTheSameOnEveryNumberOfRanks) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({70, 0, 1, 90, 33}), {.window = {40, 0}});
  Problem problem(mask, {4, 2, 12, 20}, 83);
  problem.options.softcap = 3;
  problem.options.dropout = {.probability = 0.3, .seed = 11, .offset = 5};
  problem.add_sink(2, 84);
  const Results expected = expected_results(problem);
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    for (const std::int32_t ranks : {1, 2, 5}) {
      for (const bool keeps : {true, false}) {
        check<double>(problem, expected, plan_of(mask, ranks, exchange, 3), {.keeps_keys = keeps, .steps = 2});
      }
    }
  }
}

TEST(DistributedExchange, ReproducibleForwardHasEqualBitsOnAnyNumberOfRanks) {
  for (const NamedMask& named : masks()) {
    Problem problem(named.mask, heads, 85);
    problem.add_sink(1, 86);
    const Results expected = expected_results(problem);
    Results first;
    for (const std::int32_t ranks : {1, 2, 3, 4, 8}) {
      for (const ExchangeKind exchange : {ExchangeKind::zero_redundancy, ExchangeKind::ring}) {
        SCOPED_TRACE(text(named.name, ", ", ranks, " ranks"));
        const solver::Plan plan = plan_of(named.mask, ranks, exchange);
        const Results got =
            run_in_process<float>(problem, plan, {.results = caesura::Results::reproducible, .keeps_keys = ranks != 3});
        expect_close(problem, expected, got, ScalarType::float32, ScalarType::float32);
        if (ranks == 1) first = got;
        EXPECT_EQ(first.out.values, got.out.values);
        EXPECT_EQ(first.lse.values, got.lse.values);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(DistributedExchange, PublishedMasksForOneToNineRanks) {
  for (const NamedMask& named : published_masks(32)) {
    const Problem problem(named.mask, {2, 1, 8, 8}, 87);
    const Results expected = expected_results(problem);
    for (std::int32_t ranks = 1; ranks <= 9; ++ranks) {
      for (const ExchangeKind exchange : solver::all_exchanges()) {
        SCOPED_TRACE(named.name);
        check<float>(problem, expected, plan_of(named.mask, ranks, exchange));
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

TEST(DistributedExchange, MoreRanksThanRows) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({3, 2}));
  const Problem problem(mask, heads, 88);
  const Results expected = expected_results(problem);
  for (const ExchangeKind exchange : solver::all_exchanges())
    check<double>(problem, expected, plan_of(mask, 9, exchange));
}

TEST(DistributedExchange, TheWireCarriesThePlansBytes) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({700, 120, 40, 164}));
  const Problem problem(mask, heads, 89);
  for (const ExchangeKind exchange : solver::all_exchanges()) {
    const solver::Plan plan = plan_of(mask, 4, exchange);
    Results whole = empty_results(problem);
    std::mutex mutex;
    std::vector<CallReport> reports(4);
    comm::run_in_process(4, [&](const comm::Communicator& communicator) {
      reports[static_cast<std::size_t>(communicator.rank())] =
          run_rank<half>(communicator, problem, plan, {}, whole, mutex);
    });
    for (std::size_t rank = 0; rank < 4; ++rank) {
      SCOPED_TRACE(text(solver::name_of(exchange), ", rank ", rank));
      std::int64_t sent = 0, received = 0;
      for (const solver::Stage& stage : plan.exchange().stages()) {
        for (const solver::Hop& hop : stage) {
          for (const solver::Transfer& transfer : hop) {
            // Keys and queries in 16 bits; partial results with lse and maximum in float.
            const std::int64_t row = transfer.payload == solver::Payload::keys      ? 2 * (16 + 16) * 2
                                     : transfer.payload == solver::Payload::queries ? 4 * 16 * 2
                                                                                    : 4 * (16 + 2) * 4;
            if (static_cast<std::size_t>(transfer.source) == rank) sent += transfer.rows * row;
            if (static_cast<std::size_t>(transfer.target) == rank) received += transfer.rows * row;
          }
        }
      }
      EXPECT_EQ(reports[rank].bytes_sent, sent);
      EXPECT_EQ(reports[rank].bytes_received, received);
    }
  }
}

}  // namespace
}  // namespace caesura::testing
