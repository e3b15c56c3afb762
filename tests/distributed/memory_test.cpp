// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/count_allocations.hpp>
#include <support/distributed_case.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

constexpr int ranks = 3;

// Kokkos takes the labels of kernels, fences and regions as strings, each of which is an allocation.
constexpr std::size_t longest_label = 127;

struct Ending {
  int allocations = 0;
  std::vector<std::int64_t> before, after;  // memory_bytes by rank
};

/// Two steps, and five more that are counted.
Ending run_steps(const Problem& problem, const solver::Plan& plan, bool keeps, Allocations which) {
  Ending ending;
  ending.before.resize(ranks), ending.after.resize(ranks);
  comm::run_in_process(ranks, [&](const comm::Communicator& communicator) {
    const RankSpace space = make_rank_space();
    const auto rank = static_cast<std::size_t>(communicator.rank());
    DistributedAttention<RankSpace> attention(
        space, communicator, plan, {.heads_q = 4, .heads_kv = 2, .dim = 16, .dim_v = 16, .type = ScalarType::float16});
    const DeviceCase<half, half, RankSpace::memory_space> own(share_of(problem, plan.placement(), communicator.rank()));
    const ViewRef lse = own.lse.matrix();
    KeptKeys kept = attention.keep_keys();
    KeptKeys* const keeper = keeps ? &kept : nullptr;
    ending.before[rank] = attention.memory_bytes() + kept.memory_bytes();
    const auto step = [&] {
      attention.forward(own.q, own.k, own.v, own.out, lse, own.options, keeper);
      attention.backward(own.dout, own.q, own.k, own.v, own.out, lse, own.dq, own.dk, own.dv, own.options, keeper);
    };
    step(), step();
    const auto all_together = [&](const auto& action) {
      comm::barrier(communicator).wait();
      if (communicator.rank() == 0) action();
      comm::barrier(communicator).wait();
    };
    all_together([&] { start_counting(which, longest_label + 1); });
    for (int i = 0; i < 5; ++i) step();
    all_together([&] { ending.allocations = stop_counting(); });
    ending.after[rank] = attention.memory_bytes() + kept.memory_bytes();
  });
  return ending;
}

TEST(DistributedMemory, IsAllThereBeforeTheFirstStep) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({70, 0, 1, 190, 33}));
  Problem problem(mask, {4, 2, 16, 16}, 91);
  problem.options.dropout = {.probability = 0.1, .seed = 2, .offset = 3};
  problem.add_sink(1, 92);
  for (const solver::ExchangeKind exchange : solver::all_exchanges()) {
    const solver::Plan plan = solver::solve(
        mask, {.ranks = ranks},
        {.exchange = exchange, .stages = 2, .layer = {.heads_q = 4, .heads_kv = 2, .dim_qk = 16, .dim_v = 16}});
    for (const bool keeps : {true, false}) {
      for (const Allocations which : {Allocations::operator_new, Allocations::views}) {
        SCOPED_TRACE(text(solver::name_of(exchange), keeps ? ", kept" : ", fetched again",
                          which == Allocations::views ? ", views" : ", operator new"));
        const Ending ending = run_steps(problem, plan, keeps, which);
        EXPECT_EQ(ending.allocations, 0);
        for (std::size_t rank = 0; rank < ranks; ++rank) {
          // Keys that are kept are another buffer: lists of where its rows lie come with its first use.
          EXPECT_LE(ending.after[rank], ending.before[rank] + (keeps ? 512 : 0)) << "rank " << rank;
          EXPECT_GE(ending.after[rank], ending.before[rank]) << "rank " << rank;
        }
      }
    }
  }
}

}  // namespace
}  // namespace caesura::testing
