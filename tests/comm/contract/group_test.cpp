// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/group.hpp>

#include <comm/contract/random.hpp>
#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using comm::Existing;
using comm::GroupCast;
using comm::GroupReduce;
using comm::GroupReduction;
using comm::GroupSplits;
using Ints = Kokkos::View<int*, Kokkos::HostSpace>;

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// MagiAttention's test case, for ranks 0 to 3: what each sends where, and what it gets.
GroupSplits published_splits(int rank) {
  const std::vector<std::vector<int>> destinations[] = {
      {{1}, {1, 2}, {2}}, {{3}, {0, 3}, {2}}, {{3}, {0, 3}, {1}}, {{1}, {0, 1}, {2}}};
  const std::vector<std::int64_t> output_rows[] = {{1, 1, 1}, {2, 2, 1, 1, 1}, {1, 1, 2, 2}, {1, 1, 1, 1}};
  const std::vector<int> sources[] = {{1, 2, 3}, {0, 2, 0, 3, 3}, {0, 0, 1, 3}, {1, 1, 2, 2}};
  const auto at = static_cast<std::size_t>(rank);
  const std::vector<std::int64_t> input_rows =
      rank == 0 ? std::vector<std::int64_t>{2, 1, 1} : std::vector<std::int64_t>{1, 1, 2};
  return {input_rows, destinations[at], output_rows[at], sources[at]};
}
const std::vector<int> published_rows[] = {{5, 9, 13}, {0, 1, 10, 11, 2, 12, 13}, {2, 3, 6, 7, 14, 15}, {4, 5, 8, 9}};

/// Runs \p body on communicators of exactly 4 ranks: a part of those that have more.
void each_four(const std::function<void(const Communicator&)>& body) {
  each_rank([&](const Communicator& communicator) {
    const Communicator four = communicator.split(communicator.rank() < 4 ? 0 : -1);
    if (four.valid() && four.size() == 4) body(four);
  });
}

TEST(GroupCast, GivesThePublishedResult) {
  each_four([](const Communicator& communicator) {
    const auto space = rank_space();
    const int rank = communicator.rank();
    const auto& expected = published_rows[rank];
    const Ints send("send", 4), receive("receive", expected.size());
    for (int i = 0; i < 4; ++i) send(static_cast<std::size_t>(i)) = 4 * rank + i;
    GroupCast cast(communicator, published_splits(rank));
    cast.start(space, send, receive).wait();
    EXPECT_EQ(std::vector<int>(receive.data(), receive.data() + receive.size()), expected) << "rank " << rank;
    comm::group_cast(space, communicator, send, receive, published_splits(rank)).wait();
    EXPECT_EQ(std::vector<int>(receive.data(), receive.data() + receive.size()), expected) << "rank " << rank;
  });
}

TEST(GroupReduce, OfThePublishedCastSumsWhatEachRowBecame) {
  each_four([](const Communicator& communicator) {
    const auto space = rank_space();
    const int rank = communicator.rank();
    const auto& rows = published_rows[rank];
    const Kokkos::View<double*, Kokkos::HostSpace> partial("partial", rows.size()), result("result", 4);
    for (std::size_t i = 0; i < rows.size(); ++i) partial(i) = 100 * rank + rows[i];
    GroupReduce reduce(communicator, published_splits(rank));
    for (const GroupReduction reduction : {GroupReduction::sum, GroupReduction::mean}) {
      reduce.start(space, partial, result, reduction).wait();
      for (int i = 0; i < 4; ++i) {
        double expected = 0;
        int count = 0;
        for (int peer = 0; peer < 4; ++peer) {
          for (const int row : published_rows[peer]) {
            expected += row == 4 * rank + i ? 100 * peer + row : 0;
            count += row == 4 * rank + i;
          }
        }
        if (reduction == GroupReduction::mean) expected /= count;
        EXPECT_EQ(result(static_cast<std::size_t>(i)), expected) << "rank " << rank << ", row " << i;
      }
    }
  });
}

/// Random splits of all ranks, and for each rank the (source, row) of each row that it gets.
struct Problem {
  std::vector<GroupSplits> ranks;
  std::vector<std::vector<std::pair<int, std::int64_t>>> received;
  std::vector<std::int64_t> rows;
};

Problem random_problem(RandomNumbers& random, int size) {
  struct Part {
    int source;
    std::int64_t begin, rows;
  };
  const auto count = static_cast<std::size_t>(size);
  Problem problem = {std::vector<GroupSplits>(count), {}, {}};
  problem.received.resize(count);
  std::vector<std::vector<std::vector<Part>>> queues(count, std::vector<std::vector<Part>>(count));  // to, from
  for (int rank = 0; rank < size; ++rank) {
    GroupSplits& splits = problem.ranks[static_cast<std::size_t>(rank)];
    std::int64_t next = 0;
    for (std::int64_t i = random.chance(0.15) ? 0 : random.integer(1, 6); i > 0; --i) {
      const std::int64_t rows = random.integer(0, 90);
      splits.input_rows.push_back(rows);
      splits.destinations.emplace_back();
      for (int to = 0; to < size; ++to) {
        if (random.chance(0.5)) continue;
        splits.destinations.back().push_back(to);
        queues[static_cast<std::size_t>(to)][static_cast<std::size_t>(rank)].push_back({rank, next, rows});
      }
      next += rows;
    }
    problem.rows.push_back(next);
  }
  for (std::size_t to = 0; to < count; ++to) {  // sources in any order, the splits of one in its own
    std::vector<std::size_t> at(count, 0);
    for (;;) {
      std::vector<std::size_t> left;
      for (std::size_t from = 0; from < count; ++from)
        if (at[from] < queues[to][from].size()) left.push_back(from);
      if (left.empty()) break;
      const std::size_t from =
          left[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(left.size()) - 1))];
      const Part part = queues[to][from][at[from]++];
      problem.ranks[to].output_rows.push_back(part.rows);
      problem.ranks[to].sources.push_back(part.source);
      for (std::int64_t row = 0; row < part.rows; ++row)
        problem.received[to].emplace_back(part.source, part.begin + row);
    }
  }
  return problem;
}

/// The partial results of a row, by rank: (rank, place in what that rank received), places ascending.
std::vector<std::pair<int, std::int64_t>> partials_of(const Problem& problem, int owner, std::int64_t row) {
  std::vector<std::pair<int, std::int64_t>> result;
  for (std::size_t rank = 0; rank < problem.ranks.size(); ++rank)
    for (std::size_t at = 0; at < problem.received[rank].size(); ++at)
      if (problem.received[rank][at] == std::pair(owner, row))
        result.emplace_back(static_cast<int>(rank), static_cast<std::int64_t>(at));
  return result;
}

double partial(int rank, std::int64_t row, std::int64_t element) {
  return known_value((rank * 1000 + row) * 100 + element);
}

template <class Check>
void random_problems(int problems, const Check& check) {
  const std::uint64_t seed = test_seed(7001);
  each_rank([&](const Communicator& communicator) {
    RandomNumbers random(seed);
    for (int i = 0; i < problems; ++i) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", problem " << i << ", rank " << communicator.rank());
      check(communicator, random_problem(random, communicator.size()), random);
      if (::testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(GroupCast, AgreesWithTheListsOnRandomProblems) {
  random_problems(20, [](const Communicator& communicator, const Problem& problem, RandomNumbers& random) {
    const auto space = rank_space();
    const auto rank = static_cast<std::size_t>(communicator.rank());
    const Lie from = all_lies[random.integer(0, 3)], to = all_lies[random.integer(0, 3)];
    const auto& expected = problem.received[rank];
    const TestRows<half> send(problem.rows[rank], 2, 4, from),
        receive(static_cast<std::int64_t>(expected.size()), 2, 4, to);
    send.fill(communicator.rank());
    GroupCast(communicator, problem.ranks[rank]).start(space, send.view(), receive.view()).wait();
    for (std::size_t row = 0; row < expected.size(); ++row)
      ASSERT_TRUE(receive.holds(static_cast<std::int64_t>(row), expected[row].first, expected[row].second));
  });
}

TEST(GroupReduce, AgreesWithSumsRowByRowOnRandomProblems) {
  random_problems(10, [](const Communicator& communicator, const Problem& problem, RandomNumbers& random) {
    const auto space = rank_space();
    const auto rank = static_cast<std::size_t>(communicator.rank());
    const Lie from = all_lies[random.integer(0, 3)], to = all_lies[random.integer(0, 3)];
    const TestRows<bfloat16> partials(static_cast<std::int64_t>(problem.received[rank].size()), 2, 9, from);
    const TestRows<float> result(problem.rows[rank], 2, 9, to);
    for (std::int64_t row = 0; row < partials.rows(); ++row)
      for (std::int64_t i = 0; i < 18; ++i)
        partials.at(row, i) = bfloat16(static_cast<float>(partial(communicator.rank(), row, i)));
    GroupReduce reduce(communicator, problem.ranks[rank]);
    for (const GroupReduction reduction : {GroupReduction::sum, GroupReduction::mean}) {
      for (const Existing existing : {Existing::overwrite, Existing::accumulate}) {
        for (std::int64_t row = 0; row < result.rows(); ++row)
          for (std::int64_t i = 0; i < 18; ++i) result.at(row, i) = 0.5f;
        reduce.start(space, partials.view(), result.view(), reduction, existing).wait();
        for (std::int64_t row = 0; row < result.rows(); ++row) {
          const auto terms = partials_of(problem, communicator.rank(), row);
          for (std::int64_t i = 0; i < 18; ++i) {
            float expected = existing == Existing::accumulate ? 0.5f : 0.0f;  // the same order: the same bits
            for (const auto& [peer, at] : terms)
              expected += static_cast<float>(bfloat16(static_cast<float>(partial(peer, at, i))));
            const auto count = terms.size() + (existing == Existing::accumulate ? 1 : 0);
            if (reduction == GroupReduction::mean && count > 1) expected /= static_cast<float>(count);
            ASSERT_EQ(result.at(row, i), expected) << "row " << row << ", " << terms.size() << " terms";
          }
        }
      }
    }
  });
}

TEST(GroupReduce, MergesAttentionResultsByLogSumExp) {
  random_problems(10, [](const Communicator& communicator, const Problem& problem, RandomNumbers& random) {
    const auto space = rank_space();
    const int rank = communicator.rank();
    const std::int64_t heads = 2, dim = 5;
    const Lie from = all_lies[random.integer(0, 3)], to = all_lies[random.integer(0, 3)];
    const auto places = static_cast<std::int64_t>(problem.received[static_cast<std::size_t>(rank)].size());
    const std::int64_t rows = problem.rows[static_cast<std::size_t>(rank)];
    const TestRows<float> partial_out(places, heads, dim, from);
    const TestRows<double> out(rows, heads, dim, to);
    const Kokkos::View<float**, Kokkos::HostSpace> partial_lse("partial_lse", static_cast<std::size_t>(places), 2);
    const Kokkos::View<double**, Kokkos::LayoutLeft, Kokkos::HostSpace> lse("lse", static_cast<std::size_t>(rows), 2);
    // A third of all rows saw no key; what they hold as results must not matter.
    const auto lse_of = [](int peer, std::int64_t at, std::int64_t head) {
      const double value = partial(peer, at, 50 + head);
      return value < -0.34 ? minus_infinity : static_cast<double>(static_cast<float>(90 * value));
    };
    const auto out_of = [&](int peer, std::int64_t at, std::int64_t i) {
      return static_cast<double>(static_cast<float>(partial(peer, at, i)));
    };
    for (std::int64_t at = 0; at < places; ++at) {
      for (std::int64_t head = 0; head < heads; ++head) {
        const double value = lse_of(rank, at, head);
        partial_lse(static_cast<std::size_t>(at), static_cast<std::size_t>(head)) = static_cast<float>(value);
        for (std::int64_t i = 0; i < dim; ++i)
          partial_out(at, head, i) = value == minus_infinity ? std::numeric_limits<float>::quiet_NaN()
                                                             : static_cast<float>(out_of(rank, at, head * dim + i));
      }
    }
    GroupReduce reduce(communicator, problem.ranks[static_cast<std::size_t>(rank)]);
    for (const Existing existing : {Existing::overwrite, Existing::accumulate}) {
      const bool accumulate = existing == Existing::accumulate;
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t head = 0; head < heads; ++head) {
          lse(static_cast<std::size_t>(row), static_cast<std::size_t>(head)) = row % 2 ? 60 : minus_infinity;
          for (std::int64_t i = 0; i < dim; ++i) out(row, head, i) = row % 2 ? 0.25 : 0;
        }
      }
      reduce.start_lse(space, partial_out.view(), partial_lse, out.view(), lse, existing).wait();
      for (std::int64_t row = 0; row < rows; ++row) {
        const auto terms = partials_of(problem, rank, row);
        for (std::int64_t head = 0; head < heads; ++head) {
          long double sum = accumulate && row % 2 ? std::exp(60.0L) : 0;  // fits: lse are below 90
          for (const auto& [peer, at] : terms) sum += std::exp(static_cast<long double>(lse_of(peer, at, head)));
          const double got = lse(static_cast<std::size_t>(row), static_cast<std::size_t>(head));
          if (sum == 0) {
            ASSERT_EQ(got, minus_infinity);
          } else {
            ASSERT_NEAR(got, static_cast<double>(std::log(sum)), 1e-12);
          }
          for (std::int64_t i = 0; i < dim; ++i) {
            long double expected = accumulate && row % 2 ? 0.25L * std::exp(60.0L) : 0;
            for (const auto& [peer, at] : terms)
              expected += std::exp(static_cast<long double>(lse_of(peer, at, head))) * out_of(peer, at, head * dim + i);
            if (sum > 0) expected /= sum;
            ASSERT_NEAR(out(row, head, i), static_cast<double>(expected), 1e-13) << terms.size() << " terms";
          }
        }
      }
    }
  });
}

TEST(GroupReduce, LetsANanLseThrough) {
  each_rank([](const Communicator& communicator) {
    const int size = communicator.size(), rank = communicator.rank();
    GroupSplits splits = {{1}, {{}}, {}, {}};  // rank 0 gives its row to all
    if (rank != 0) splits = {};
    for (int peer = 0; peer < size && rank == 0; ++peer) splits.destinations[0].push_back(peer);
    splits.output_rows = {1};
    splits.sources = {0};
    const Kokkos::View<float[1][1][2], Kokkos::HostSpace> partial_out("partial_out");
    const Kokkos::View<float[1][1], Kokkos::HostSpace> partial_lse("partial_lse");
    partial_lse(0, 0) =
        rank == size - 1 ? std::numeric_limits<float>::quiet_NaN() : -std::numeric_limits<float>::infinity();
    const Kokkos::View<float***, Kokkos::HostSpace> out("out", rank == 0, 1, 2);
    const Kokkos::View<float**, Kokkos::HostSpace> lse("lse", rank == 0, 1);
    GroupReduce(communicator, splits).start_lse(rank_space(), partial_out, partial_lse, out, lse).wait();
    if (rank == 0) {
      EXPECT_TRUE(std::isnan(lse(0, 0)));
      EXPECT_TRUE(std::isnan(out(0, 0, 1)));
    }
  });
}

}  // namespace
}  // namespace caesura::testing
