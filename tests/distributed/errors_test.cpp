// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/distributed_case.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

namespace caesura::testing {
namespace {

using comm::Communicator;
using solver::ExchangeKind;
using Attention = DistributedAttention<RankSpace>;
using Parts = std::initializer_list<std::string_view>;

constexpr DistributedShape shape = {.heads_q = 4, .heads_kv = 2, .dim = 16, .dim_v = 24};

solver::Plan plan_for(std::int32_t ranks, std::vector<std::int64_t> lengths = {70, 5, 90},
                      ExchangeKind exchange = ExchangeKind::zero_redundancy) {
  return solver::solve(
      Mask::from_documents(Documents::from_lengths(lengths)), {.ranks = ranks},
      {.exchange = exchange, .stages = 2, .layer = {.heads_q = 4, .heads_kv = 2, .dim_qk = 16, .dim_v = 24}});
}

Problem problem_of(const solver::Plan& plan) {
  Problem problem(plan.mask(), {4, 2, 16, 24}, 96);
  problem.add_sink(2, 97);
  return problem;
}

TEST(DistributedSetUpErrors, NameTheRule) {
  const auto fails = [](Parts parts, const solver::Plan& plan, const DistributedShape& wrong) {
    expect_invalid(parts, [&] {
      comm::run_in_process(
          2, [&](const Communicator& communicator) { Attention(make_rank_space(), communicator, plan, wrong); });
    });
  };
  const solver::Plan plan = plan_for(2);
  const auto with = [](const auto& change) {
    DistributedShape result = shape;
    change(result);
    return result;
  };
  fails({"DistributedAttention: ranks of the plan = 3: must be those of the communicator, 2"}, plan_for(3), shape);
  fails({"heads_q = 0: must be at least 1"}, plan, with([](auto& s) { s.heads_q = 0; }));
  fails({"heads_kv = 0: must be at least 1"}, plan, with([](auto& s) { s.heads_kv = 0; }));
  fails({"heads_q = 4: must be a multiple of heads_kv = 3"}, plan, with([](auto& s) { s.heads_kv = 3; }));
  fails({"dim = 0: must lie in [1, 512]"}, plan, with([](auto& s) { s.dim = 0; }));
  fails({"dim_v = 513: must lie in [1, 512]"}, plan, with([](auto& s) { s.dim_v = 513; }));
  // Two queries of rank 1 see a hundred keys of rank 0, over a slow link.
  const Mask few = Mask::from_slices(200, 200, std::vector{BandSlice::full({150, 152}, {0, 102})});
  solver::Cluster slow = {.ranks = 2};
  slow.across_nodes.bytes_per_second = 1e6;
  const solver::Plan moving(few, solver::Placement::together(2, 200, {{{0, 100}, 0}, {{100, 200}, 1}}), slow,
                            {.exchange = ExchangeKind::qo, .layer = {.heads_q = 4, .heads_kv = 4}});
  ASSERT_TRUE(moves_queries(moving));
  fails({"results = reproducible", "exchange = qo"}, moving,
        with([](auto& s) { s.results = caesura::Results::reproducible; }));
}

TEST(DistributedSetUpErrors, NameTheFirstRankThatHasAnotherPlan) {
  for (const int other : {1, 2, 3}) {
    std::vector<std::int64_t> sent(4, -1);
    expect_invalid({text("hash of rank ", other, " = 0x"), "must be that of rank 0, 0x"}, [&] {
      comm::run_in_process(4, [&](const Communicator& communicator) {
        const auto rank = static_cast<std::size_t>(communicator.rank());
        const solver::Plan plan = communicator.rank() < other ? plan_for(4) : plan_for(4, {70, 6, 89});
        try {
          Attention(make_rank_space(), communicator, plan, shape);
        } catch (...) {
          sent[rank] = communicator.bytes_sent();
          throw;
        }
      });
    });
    // Nothing but the hashes has moved.
    for (const std::int64_t bytes : sent) EXPECT_EQ(bytes, 3 * 8);
  }
}

/// Calls with one argument wrong on every rank: all of them say so, and nothing is written.
class DistributedCallErrors : public ::testing::Test {
 protected:
  struct Arguments {
    ViewRef q, k, v, out, lse, dout, dq, dk, dv;
    AttentionOptions options;
  };
  using Break = std::function<void(Arguments&)>;
  enum class Call : std::uint8_t { forward, backward };

  static void expect_error_of(Call call, Parts parts, const Break& break_it) {
    const solver::Plan plan = plan_for(2);
    const Problem problem = problem_of(plan);
    comm::run_in_process(2, [&](const Communicator& communicator) {
      Attention attention(make_rank_space(), communicator, plan, shape);
      const DeviceCase<float, float, RankSpace::memory_space> own(
          share_of(problem, plan.placement(), communicator.rank()));
      Arguments a = {own.q, own.k, own.v, own.out, own.lse.matrix(), own.dout, own.dq, own.dk, own.dv, own.options};
      break_it(a);
      const std::int64_t sent = communicator.bytes_sent();
      const auto run = [&] {
        if (call == Call::forward) {
          attention.forward(a.q, a.k, a.v, a.out, a.lse, a.options);
        } else {
          attention.backward(a.dout, a.q, a.k, a.v, a.out, a.lse, a.dq, a.dk, a.dv, a.options);
        }
      };
      expect_invalid({call == Call::forward ? "DistributedAttention::forward: " : "DistributedAttention::backward: "},
                     run);
      expect_invalid(parts, run);
      EXPECT_EQ(communicator.bytes_sent(), sent) << "data moved before the error";
      EXPECT_TRUE(own.outputs_untouched()) << "an output was written before the error";
    });
  }
  static void both(Parts parts, const Break& break_it) {
    expect_error_of(Call::forward, parts, break_it);
    expect_error_of(Call::backward, parts, break_it);
  }
  static void backward(Parts parts, const Break& break_it) { expect_error_of(Call::backward, parts, break_it); }

  /// It lives as long as the test.
  template <class Value>
  ViewRef tensor(std::int64_t rows, std::size_t heads, std::size_t dim) {
    const Kokkos::View<Value***, Kokkos::LayoutRight, Kokkos::HostSpace> view("test", static_cast<std::size_t>(rows),
                                                                              heads, dim);
    const std::lock_guard lock(mutex_);
    kept_.emplace_back([view] { (void)view; });
    return view;
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> kept_;
};

TEST_F(DistributedCallErrors, WrongRowsHeadsAndDims) {
  const auto rows = [](const ViewRef& view) { return view.extent(0); };
  both({"q has ", " rows: this rank owns "}, [&](Arguments& a) { a.q = tensor<float>(rows(a.q) + 1, 4, 16); });
  both({"k has ", " rows: this rank owns "}, [&](Arguments& a) { a.k = tensor<float>(rows(a.k) + 1, 2, 16); });
  both({"v has 4 heads: must be 2"}, [&](Arguments& a) { a.v = tensor<float>(rows(a.v), 4, 24); });
  both({"q has 3 heads: must be 4"}, [&](Arguments& a) { a.q = tensor<float>(rows(a.q), 3, 16); });
  both({"k has 17 as dim: must be 16"}, [&](Arguments& a) { a.k = tensor<float>(rows(a.k), 2, 17); });
  both({"out has 16 as dim: must be 24"}, [&](Arguments& a) { a.out = tensor<float>(rows(a.out), 4, 16); });
  both({"lse has rank 3"}, [&](Arguments& a) { a.lse = tensor<float>(rows(a.lse), 4, 1); });
  both({"q is not given"}, [](Arguments& a) { a.q = {}; });
  backward({"dq has ", " rows: this rank owns "}, [&](Arguments& a) { a.dq = tensor<float>(rows(a.dq) + 1, 4, 16); });
  backward({"dk has 4 heads: must be 2"}, [&](Arguments& a) { a.dk = tensor<float>(rows(a.dk), 4, 16); });
  backward({"dout has 25 as dim: must be 24"}, [&](Arguments& a) { a.dout = tensor<float>(rows(a.dout), 4, 25); });
  backward({"dv is not given"}, [](Arguments& a) { a.dv = {}; });
}

TEST_F(DistributedCallErrors, WrongTypes) {
  const auto rows = [](const ViewRef& view) { return view.extent(0); };
  both({"q has other elements than planned: must be float"},
       [&](Arguments& a) { a.q = tensor<double>(rows(a.q), 4, 16); });
  both({"v has other elements than planned: must be float"},
       [&](Arguments& a) { a.v = tensor<half>(rows(a.v), 2, 24); });
  both({"out has other elements than planned: must be float"},
       [&](Arguments& a) { a.out = tensor<half>(rows(a.out), 4, 24); });
  backward({"dk has other elements than planned"}, [&](Arguments& a) { a.dk = tensor<double>(rows(a.dk), 2, 16); });
}

TEST_F(DistributedCallErrors, OptionsThatTheCallSetsItself) {
  both({"results = merge"}, [](Arguments& a) { a.options.results = ResultMode::merge; });
  both({"q_positions, k_positions are given"},
       [](Arguments& a) { a.options.k_positions = Kokkos::View<std::int32_t*, Kokkos::HostSpace>("test", 3); });
  both({"dropout.probability = 1: must lie in [0, 1)"}, [](Arguments& a) { a.options.dropout.probability = 1; });
  both({"sink has rank 3"}, [&](Arguments& a) { a.options.sink = tensor<float>(4, 2, 1); });
  const Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace> five("test", 5, 2);
  const Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::HostSpace> doubles("test", 4, 2);
  both({"sink has 5 heads: must be heads_q = 4"}, [&](Arguments& a) { a.options.sink = five; });
  both({"sink has other elements than float"}, [&](Arguments& a) { a.options.sink = doubles; });
  backward({"dsink is given without sink"}, [](Arguments& a) { a.options.sink = {}; });
}

TEST(DistributedPasses, OfTheForwardAloneHaveNoBackward) {
  const solver::Plan plan = plan_for(2);
  const Problem problem = problem_of(plan);
  comm::run_in_process(2, [&](const Communicator& communicator) {
    DistributedShape forward_only = shape;
    forward_only.passes = Passes::forward;
    Attention attention(make_rank_space(), communicator, plan, forward_only);
    const DeviceCase<float, float, RankSpace::memory_space> own(
        share_of(problem, plan.placement(), communicator.rank()));
    attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(), own.options);
    expect_invalid({"DistributedAttention::backward: passes = forward", "Passes::forward_and_backward"}, [&] {
      attention.backward(own.dout, own.q, own.k, own.v, own.out, own.lse.matrix(), own.dq, own.dk, own.dv, own.options);
    });
  });
}

TEST(DistributedKept, KeysOfAnotherPlanAreRefused) {
  const solver::Plan plan = plan_for(2), other = plan_for(2, {200, 31});
  const Problem problem = problem_of(plan);
  comm::run_in_process(2, [&](const Communicator& communicator) {
    const RankSpace space = make_rank_space();
    Attention attention(space, communicator, plan, shape), another(space, communicator, other, shape);
    KeptKeys kept = another.keep_keys();
    const DeviceCase<float, float, RankSpace::memory_space> own(
        share_of(problem, plan.placement(), communicator.rank()));
    expect_invalid({"kept = keys of another plan", "keep_keys()"},
                   [&] { attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(), own.options, &kept); });
  });
}

/// What the others see of a rank that fails on the way.
enum class Failure : std::uint8_t { between_the_calls, in_the_forward, in_the_backward };

class DistributedFaults : public ::testing::TestWithParam<std::tuple<ExchangeKind, Failure>> {};

TEST_P(DistributedFaults, EndOnAllRanksInTime) {
  const auto exchange = std::get<0>(GetParam());
  const auto failure = std::get<1>(GetParam());  // no structured binding: clang 15 cannot capture one
  constexpr int ranks = 4;
  const solver::Plan plan = plan_for(ranks, {300, 80}, exchange);
  const Problem problem = problem_of(plan);
  std::vector<std::string> errors(ranks);
  std::mutex mutex;
  const auto begin = std::chrono::steady_clock::now();
  const auto run = [&](const Communicator& communicator) {
    Attention attention(make_rank_space(), communicator, plan, shape);
    const DeviceCase<float, float, RankSpace::memory_space> own(
        share_of(problem, plan.placement(), communicator.rank()));
    KeptKeys kept = attention.keep_keys();
    const auto options = [&](bool fails) {
      AttentionOptions result = own.options;
      if (fails && communicator.rank() == 1) result.variant = "none such";  // found when the first stage is on its way
      return result;
    };
    try {
      for (int step = 0; step < 2; ++step) {
        const bool fails = step == 1;
        attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(),
                          options(fails && failure == Failure::in_the_forward), &kept);
        if (fails && failure == Failure::between_the_calls && communicator.rank() == 1)
          throw std::runtime_error("lost my way");
        attention.backward(own.dout, own.q, own.k, own.v, own.out, own.lse.matrix(), own.dq, own.dk, own.dv,
                           options(fails && failure == Failure::in_the_backward), &kept);
      }
      // A rank that needs nothing of the failed one notices here.
      comm::barrier(communicator).wait();
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex);
      errors[static_cast<std::size_t>(communicator.rank())] = error.what();
      throw;
    }
  };
  const std::string cause = failure == Failure::between_the_calls ? "lost my way" : "none such";
  comm::InProcessOptions options;
  options.timeout = std::chrono::seconds(60);
  try {
    comm::run_in_process(ranks, run, options);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find(cause), std::string::npos) << error.what();
  }
  for (const std::string& error : errors) EXPECT_FALSE(error.empty()) << "a rank ended without an error";
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

INSTANTIATE_TEST_SUITE_P(Cases, DistributedFaults,
                         ::testing::Combine(::testing::ValuesIn(solver::all_exchanges().begin(),
                                                                solver::all_exchanges().end()),
                                            ::testing::Values(Failure::between_the_calls, Failure::in_the_forward,
                                                              Failure::in_the_backward)));

TEST(DistributedFaultsOfAll, LeaveTheObjectUsable) {
  // An unknown kernel is found when the first stage is on its way, on every rank.
  const solver::Plan plan = plan_for(3, {200, 80});
  const Problem problem = problem_of(plan);
  Results got = empty_results(problem);
  std::mutex mutex;
  comm::run_in_process(3, [&](const Communicator& communicator) {
    const RankSpace space = make_rank_space();
    Attention attention(space, communicator, plan, shape);
    const std::int32_t rank = communicator.rank();
    const DeviceCase<float, float, RankSpace::memory_space> own(share_of(problem, plan.placement(), rank));
    AttentionOptions wrong = own.options;
    wrong.variant = "none such";
    for (int times = 0; times < 3; ++times) {
      KeptKeys kept = attention.keep_keys();  // is gone before the next call
      expect_invalid({"variant = none such"},
                     [&] { attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(), wrong, &kept); });
      expect_invalid({"variant = none such"}, [&] {
        attention.backward(own.dout, own.q, own.k, own.v, own.out, own.lse.matrix(), own.dq, own.dk, own.dv, wrong);
      });
    }
    attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(), own.options);
    attention.backward(own.dout, own.q, own.k, own.v, own.out, own.lse.matrix(), own.dq, own.dk, own.dv, own.options);
    space.fence();
    const Results part = own.download();
    const std::lock_guard lock(mutex);
    put_results(got, part, plan.placement(), rank);
  });
  expect_close(problem, expected_results(problem), got, ScalarType::float32, ScalarType::float32);
}

}  // namespace
}  // namespace caesura::testing
