// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/reduce.hpp>

#include <comm/contract/random.hpp>
#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using comm::Reduction;

template <class Value>
double number(Value value) {
  if constexpr (std::is_same_v<Value, half> || std::is_same_v<Value, bfloat16>) {
    return static_cast<double>(static_cast<float>(value));
  } else {
    return static_cast<double>(value);
  }
}
template <class Value>
Value from_number(double value) {
  if constexpr (std::is_same_v<Value, half> || std::is_same_v<Value, bfloat16>) {
    return Value(static_cast<float>(value));
  } else {
    return static_cast<Value>(value);
  }
}

/// What rank \p rank has at element \p element of row \p row; every rank can compute it.
template <class Value>
Value term(int rank, std::int64_t row, std::int64_t element) {
  const double value = known_value((rank * 1000 + row) * 100 + element);
  return from_number<Value>(std::is_integral_v<Value> ? std::floor(100 * value) : value);
}

/// How far a result may be from the exact one: each of the sums in the accumulator's precision, then one rounding.
template <class Sent, class Result>
double tolerance(int ranks) {
  if (std::is_integral_v<Result>) return 0;
  const bool in_double = std::is_same_v<Sent, double> || std::is_same_v<Result, double>;
  const double rounding = std::is_same_v<Result, half> ? 0x1p-11 : std::is_same_v<Result, bfloat16> ? 0x1p-8 : 0;
  return ranks * (ranks * (in_double ? 0x1p-53 : 0x1p-24) + rounding);  // terms are at most 1
}

template <class Sent, class Result>
void check(const Communicator& communicator, Reduction reduction, Lie from, Lie to) {
  const auto space = rank_space();
  const int rank = communicator.rank(), size = communicator.size();
  std::vector<std::int64_t> rows;
  std::int64_t begin = 0, sum = 0;
  for (int peer = 0; peer < size; ++peer) {
    rows.push_back(peer * 3 % 5);  // the first has none
    if (peer < rank) begin += rows.back();
    sum += rows.back();
  }
  const std::int64_t own = rows[static_cast<std::size_t>(rank)];
  const TestRows<Sent> send(sum, 3, 7, from);
  const TestRows<Result> scattered(own, 3, 7, to), everywhere(sum, 3, 7, to);
  for (std::int64_t row = 0; row < sum; ++row)
    for (std::int64_t i = 0; i < 21; ++i) send.at(row, i) = term<Sent>(rank, row, i);
  comm::reduce_scatter_v(space, communicator, send.view(), scattered.view(), rows, reduction).wait();
  comm::all_reduce(space, communicator, send.view(), everywhere.view(), reduction).wait();

  const double allowed = tolerance<Sent, Result>(size);
  for (std::int64_t row = 0; row < sum; ++row) {
    for (std::int64_t i = 0; i < 21; ++i) {
      double expected = number(term<Sent>(0, row, i));
      for (int peer = 1; peer < size; ++peer) {
        const double value = number(term<Sent>(peer, row, i));
        expected = reduction == Reduction::max   ? std::fmax(expected, value)
                   : reduction == Reduction::min ? std::fmin(expected, value)
                                                 : expected + value;
      }
      if (reduction == Reduction::mean) expected /= size;
      ASSERT_NEAR(number(everywhere.at(row, i)), expected, allowed) << "row " << row << ", element " << i;
      if (row >= begin && row < begin + own) {
        const Result &a = scattered.at(row - begin, i), &b = everywhere.at(row, i);
        ASSERT_EQ(std::memcmp(&a, &b, sizeof(Result)), 0) << "the same order gives the same bits";
      }
    }
  }
  EXPECT_TRUE(scattered.untouched_around());
  EXPECT_TRUE(everywhere.untouched_around());
}

template <class Pair>
class Reduce : public ::testing::Test {};
template <class A, class B>
struct To {
  using Sent = A;
  using Result = B;
};
using Pairs = ::testing::Types<To<double, double>, To<float, float>, To<float, double>, To<half, half>, To<half, float>,
                               To<bfloat16, bfloat16>, To<bfloat16, float>, To<std::int32_t, std::int32_t>,
                               To<std::int32_t, std::int64_t>, To<std::int64_t, std::int64_t>>;
TYPED_TEST_SUITE(Reduce, Pairs);

TYPED_TEST(Reduce, AgreesWithSumsInDouble) {
  using Sent = typename TypeParam::Sent;
  using Result = typename TypeParam::Result;
  each_rank([](const Communicator& communicator) {
    for (const Reduction reduction : {Reduction::sum, Reduction::mean, Reduction::max, Reduction::min}) {
      if (std::is_integral_v<Sent> && reduction == Reduction::mean) continue;
      check<Sent, Result>(communicator, reduction, Lie::right, Lie::right);
      check<Sent, Result>(communicator, reduction, Lie::left, Lie::padded);
      check<Sent, Result>(communicator, reduction, Lie::strided, Lie::left);
    }
  });
}

TEST(AllReduce, SumsInTheOrderOfRanksOnAllRanksAndEveryTime) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const int size = communicator.size();
    const std::size_t n = 1000;
    const Kokkos::View<float*, Kokkos::HostSpace> send("send", n), receive("receive", n);
    for (int repeat = 0; repeat < 3; ++repeat) {
      for (std::size_t i = 0; i < n; ++i) send(i) = term<float>(communicator.rank(), static_cast<std::int64_t>(i), 0);
      comm::all_reduce(space, communicator, send, receive).wait();
      comm::all_reduce(space, communicator, send, send).wait();  // in place
      for (std::size_t i = 0; i < n; ++i) {
        float expected = term<float>(0, static_cast<std::int64_t>(i), 0);
        for (int rank = 1; rank < size; ++rank) expected += term<float>(rank, static_cast<std::int64_t>(i), 0);
        ASSERT_EQ(receive(i), expected);
        ASSERT_EQ(send(i), expected);
      }
    }
  });
}

TEST(AllReduce, LetsNansThrough) {
  each_rank([](const Communicator& communicator) {
    const Kokkos::View<double[1], Kokkos::HostSpace> value("value");
    for (int sick = 0; sick < communicator.size(); ++sick) {
      for (const Reduction reduction : {Reduction::sum, Reduction::mean, Reduction::max, Reduction::min}) {
        value(0) = communicator.rank() == sick ? std::numeric_limits<double>::quiet_NaN() : 1.0;
        comm::all_reduce(rank_space(), communicator, value, value, reduction).wait();
        ASSERT_TRUE(std::isnan(value(0))) << "rank " << sick;
      }
    }
  });
}

}  // namespace
}  // namespace caesura::testing
