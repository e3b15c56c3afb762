// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/mpi.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/distributed/distribute.hpp>
#include <support/distributed_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>
#include <mpi.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <thread>

namespace caesura::testing {
namespace {

using comm::Communicator;
using solver::ExchangeKind;

constexpr HeadShape heads = {4, 2, 16, 16};

// A rank that left its test by a failure must not keep the others for ten minutes.
Communicator world() { return comm::MpiCommunicator(MPI_COMM_WORLD, {.timeout = std::chrono::seconds(60)}); }

solver::Plan plan_of(const Mask& mask, std::int32_t ranks, ExchangeKind exchange) {
  return solver::solve(
      mask, {.ranks = ranks, .ranks_per_node = ranks % 2 == 0 ? 2 : 1},
      {.exchange = exchange, .stages = 2, .layer = {.heads_q = 4, .heads_kv = 2, .dim_qk = 16, .dim_v = 16}});
}

/// Sums what every rank has of a tensor; the others' rows are zeros.
void add_up(const Communicator& communicator, reference::Tensor& tensor) {
  using View = Kokkos::View<double*, Kokkos::HostSpace>;
  const View own("own", tensor.values.size()), sum("sum", tensor.values.size());
  std::copy(tensor.values.begin(), tensor.values.end(), own.data());
  const RankSpace space = make_rank_space();
  comm::all_reduce(space, communicator, own, sum).wait();
  space.fence();
  tensor.values.assign(sum.data(), sum.data() + sum.size());
}

template <AttentionScalar Scalar>
Results run_on(const Communicator& communicator, const Problem& problem, const solver::Plan& plan,
               const DistributedRun& run) {
  Results got = empty_results(problem);
  std::mutex mutex;
  run_rank<Scalar>(communicator, problem, plan, run, got, mutex);
  // -inf times nothing: rows of others are zeros, the sum keeps infinities.
  for (auto* tensor : {&got.out, &got.lse, &got.row_max, &got.dq, &got.dk, &got.dv}) add_up(communicator, *tensor);
  return got;
}

TEST(DistributedOverMpi, EveryExchangeEqualsOneRank) {
  const Communicator communicator = world();
  for (const NamedMask& named : kernel_masks()) {
    if (named.mask.area() == 0) continue;  // the solver has no plan for it
    Problem problem(named.mask, heads, 131);
    problem.options.dropout = {.probability = 0.2, .seed = 5, .offset = 6};
    problem.add_sink(1, 132);
    const Results expected = expected_results(problem);
    for (const ExchangeKind exchange : solver::all_exchanges()) {
      SCOPED_TRACE(text(named.name, ", ", communicator.size(), " ranks, ", solver::name_of(exchange)));
      const solver::Plan plan = plan_of(named.mask, communicator.size(), exchange);
      expect_close(problem, expected, run_on<double>(communicator, problem, plan, {.keeps_keys = false}),
                   ScalarType::float64, ScalarType::float64);
      expect_close(problem, expected, run_on<half>(communicator, problem, plan, {.steps = 2}), ScalarType::float16,
                   ScalarType::float16);
    }
  }
}

std::atomic<int> stages_here{0}, stages_elsewhere{0};  // by the thread that saw their end: this one, or another
std::thread::id this_thread;

void count_stage(const char* name, std::uint32_t, std::uint64_t*) {
  if (std::string_view(name) != "caesura::distributed::stage") return;
  ++(std::this_thread::get_id() == this_thread ? stages_here : stages_elsewhere);
}

TEST(DistributedOverMpi, TransfersHaveAThreadWhereMpiAllowsIt) {
  const Communicator communicator = world();
  int level = 0;
  MPI_Query_thread(&level);
  const Mask mask = Mask::from_documents(Documents::from_lengths({170, 1, 240, 33}), {.kind = MaskKind::full});
  const Problem problem(mask, heads, 134);
  const solver::Plan plan = plan_of(mask, communicator.size(), ExchangeKind::all_gather);
  stages_here = stages_elsewhere = 0;
  this_thread = std::this_thread::get_id();
  Kokkos::Tools::Experimental::set_begin_fence_callback(count_stage);
  expect_close(problem, expected_results(problem), run_on<double>(communicator, problem, plan, {}), ScalarType::float64,
               ScalarType::float64);
  Kokkos::Tools::Experimental::set_begin_fence_callback(nullptr);
  EXPECT_EQ(stages_here == 0, level >= MPI_THREAD_SERIALIZED);
  EXPECT_EQ(stages_elsewhere == 0, level < MPI_THREAD_SERIALIZED);
}

TEST(DistributedOverMpi, ReproducibleForwardHasTheBitsOfOneRank) {
  const Communicator communicator = world();
  const Communicator alone = communicator.split(communicator.rank());
  const Mask mask = Mask::from_documents(Documents::from_lengths({170, 1, 240, 33}));
  const Problem problem(mask, heads, 133);
  const DistributedRun run = {.results = caesura::Results::reproducible};
  const Results one = run_on<float>(alone, problem, plan_of(mask, 1, ExchangeKind::zero_redundancy), run);
  const Results all =
      run_on<float>(communicator, problem, plan_of(mask, communicator.size(), ExchangeKind::zero_redundancy), run);
  EXPECT_EQ(one.out.values, all.out.values);
  EXPECT_EQ(one.lse.values, all.lse.values);
}

TEST(DistributedOverMpi, RanksWithAnotherPlanAreNamed) {
  const Communicator communicator = world();
  if (communicator.size() < 2) GTEST_SKIP() << "needs two ranks";
  const std::int64_t longer = communicator.rank() == communicator.size() - 1 ? 1 : 0;
  const Mask mask = Mask::from_documents(Documents::from_lengths({70 + longer, 40 - longer}));
  const solver::Plan plan = plan_of(mask, communicator.size(), ExchangeKind::ring);
  try {
    DistributedAttention<RankSpace>(make_rank_space(), communicator, plan, {.heads_q = 4, .heads_kv = 2, .dim = 16});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(text("hash of rank ", communicator.size() - 1)), std::string::npos)
        << error.what();
  }
}

TEST(DistributedOverMpi, RowsTravelToTheirOwnersAndRoll) {
  const Communicator communicator = world();
  const RankSpace space = make_rank_space();
  const Mask mask = Mask::from_documents(Documents::from_lengths({7, 20, 4}));
  const solver::Plan plan = plan_of(mask, communicator.size(), ExchangeKind::zero_redundancy);
  const auto positions = position_ids(plan.placement(), communicator.rank());
  using View = Kokkos::View<std::int64_t*, Kokkos::HostSpace>;
  const bool is_root = communicator.rank() == 0;
  const View whole("whole", is_root ? 31 : 0), again("again", 31), own("own", positions.size()),
      labels("labels", positions.size());
  for (std::size_t i = 0; i < whole.size(); ++i) whole(i) = static_cast<std::int64_t>(i);
  distribute(space, communicator, plan.placement(), whole, own).wait();
  roll(space, communicator, plan.placement(), own, labels, -1).wait();
  collect(space, communicator, plan.placement(), own, again, every_rank).wait();
  space.fence();
  for (std::size_t i = 0; i < positions.size(); ++i) {
    EXPECT_EQ(own(i), positions[i]);
    EXPECT_EQ(labels(i), (positions[i] + 1) % 31);
  }
  for (std::size_t i = 0; i < 31; ++i) EXPECT_EQ(again(i), static_cast<std::int64_t>(i));
}

}  // namespace
}  // namespace caesura::testing
