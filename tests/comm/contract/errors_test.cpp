// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_gather.hpp>
#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/group.hpp>
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/row_exchange.hpp>
#include <support/errors.hpp>

#include <comm/contract/ranks.hpp>
#include <comm/contract/rows_of.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace caesura::testing {
namespace {

using comm::Communicator;
using comm::GroupCast;
using comm::GroupReduce;
using comm::GroupSplits;
using comm::RowExchange;
using Floats = Kokkos::View<float**, Kokkos::HostSpace>;
using Counts = std::vector<std::int64_t>;

/// All ranks make the same mistake, so that nobody waits for anybody.
TEST(CommErrors, OfGathersNameTheArgumentItsValueAndTheRule) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const auto size = static_cast<std::size_t>(communicator.size());
    const Floats rows("rows", 3, 4), all("all", 3 * size, 4), wide("wide", 3 * size, 5), many("many", 3 * size + 1, 4);
    expect_invalid({"all_gather: receive.extent(0) = ", "must be ", "ranks times the rows of send"},
                   [&] { comm::all_gather(space, communicator, rows, many).wait(); });
    expect_invalid({"all_gather: bytes of a row of receive = 20: send has 16"},
                   [&] { comm::all_gather(space, communicator, rows, wide).wait(); });
    expect_invalid({"all_gather_v: rows: length = ", text("there are ", size, " ranks")},
                   [&] { comm::all_gather_v(space, communicator, rows, all, Counts(size + 1, 3)).wait(); });
    expect_invalid({"all_gather_v: rows[0] = -3: must not be negative"}, [&] {
      Counts counts(size, 3);
      counts[0] = -3;
      comm::all_gather_v(space, communicator, rows, all, counts).wait();
    });
    expect_invalid({"all_gather_v: send.extent(0) = 3: must be 2, rows[rank]"},
                   [&] { comm::all_gather_v(space, communicator, rows, all, Counts(size, 2)).wait(); });
    expect_invalid({"all_to_all_v: receive.extent(0) = ", "the sum of receive_rows"}, [&] {
      comm::all_to_all_v(space, communicator, all, Counts(size, 3), many, Counts(size, 3)).wait();
    });
    comm::all_gather(space, communicator, rows, all).wait();  // nothing is lost after an error of this kind
  });
}

TEST(CommErrors, OfListsNameTheBlock) {
  each_rank([](const Communicator& communicator) {
    const int rank = communicator.rank(), size = communicator.size();
    const Floats rows("rows", 3, 4), other("other", 3, 4);
    expect_invalid({"RowExchange: sends: peer = 8: there are ", " ranks"}, [&] {
      RowExchange(communicator, {.sends = {{8, 0, 1}}, .receives = {}});
    });
    expect_invalid({"RowExchange: receives: rows = [2, 1): must begin at 0 or later and not end before they begin"},
                   [&] {
                     RowExchange(communicator, {.sends = {}, .receives = {{0, 2, 1}}});
                   });
    expect_invalid({"RowExchange: receives: rows of the own rank = 2: it sends itself 1"}, [&] {
      RowExchange(communicator, {.sends = {{rank, 0, 1}}, .receives = {{rank, 0, 2}}});
    });
    RowExchange beyond(communicator, {.sends = {{rank, 2, 5}}, .receives = {{rank, 0, 3}}});
    expect_invalid({"RowExchange: send.extent(0) = 3: its blocks reach to row 5"},
                   [&] { beyond.start(rank_space(), rows, other).wait(); });
    if (size > 1) {
      RowExchange twice(communicator,
                        {.sends = {{(rank + 1) % size, 0, 3}}, .receives = {{(rank + size - 1) % size, 0, 3}}});
      comm::Request first = twice.start(rank_space(), rows, other);
      expect_invalid({"RowExchange: start = again: the last start of this object is still under way"},
                     [&] { twice.start(rank_space(), rows, other).wait(); });
      first.wait();
    }
  });
}

TEST(CommErrors, OfGroupsNameTheSplit) {
  each_rank([](const Communicator& communicator) {
    const auto splits = [](GroupSplits value) { return value; };
    expect_invalid({"GroupCast: destinations: length = 1: input_rows has 2"}, [&] {
      GroupCast(communicator, splits({{1, 2}, {{}}, {}, {}}));
    });
    expect_invalid({"GroupCast: sources: length = 0: output_rows has 1"}, [&] {
      GroupCast(communicator, splits({{}, {}, {4}, {}}));
    });
    expect_invalid({"GroupReduce: input_rows[1] = -2: must not be negative"}, [&] {
      GroupReduce(communicator, splits({{1, -2}, {{}, {}}, {}, {}}));
    });
    expect_invalid({"GroupCast: destinations[0] = 99: there are "}, [&] {
      GroupCast(communicator, splits({{1}, {{99}}, {}, {}}));
    });
    expect_invalid({"GroupCast: destinations[0] = ..., 0, 0: ranks must ascend"}, [&] {
      GroupCast(communicator, splits({{1}, {{0, 0}}, {}, {}}));
    });
    GroupReduce reduce(communicator, {});
    const Kokkos::View<half***, Kokkos::HostSpace> out("out", 0, 2, 4);
    const Kokkos::View<double**, Kokkos::HostSpace> lse("lse", 0, 2);
    const Kokkos::View<float**, Kokkos::HostSpace> narrow("narrow", 0, 2), three("three", 0, 3);
    expect_invalid({"GroupReduce: partial_lse: type = double: must be float for partial_out of half"},
                   [&] { reduce.start_lse(rank_space(), out, lse, out, lse).wait(); });
    expect_invalid({"GroupReduce: partial_lse: rank = 2: must have the extents of partial_out without the last"},
                   [&] { reduce.start_lse(rank_space(), out, three, out, three).wait(); });
    expect_invalid({"GroupReduce: result: type = half: partial has elements of float, they must be the same or the "
                    "result's wider"},
                   [&] { reduce.start(rank_space(), Floats("f", 0, 8), out).wait(); });
    reduce.start_lse(rank_space(), out, narrow, out, narrow).wait();
  });
}

TEST(CommErrors, OfReductionsNameTheTypes) {
  each_rank([](const Communicator& communicator) {
    const auto space = rank_space();
    const Kokkos::View<std::int32_t*, Kokkos::HostSpace> integers("integers", 3), more("more", 4);
    const Kokkos::View<float*, Kokkos::HostSpace> floats("floats", 3);
    expect_invalid({"all_reduce: receive: type = float: send has elements of int32"},
                   [&] { comm::all_reduce(space, communicator, integers, floats).wait(); });
    expect_invalid({"all_reduce: reduction = mean: of int32: there is no mean of integers"},
                   [&] { comm::all_reduce(space, communicator, integers, integers, comm::Reduction::mean).wait(); });
    expect_invalid({"all_reduce: receive.extent(0) = 4: must be 3, the rows of send"},
                   [&] { comm::all_reduce(space, communicator, integers, more).wait(); });
  });
}

}  // namespace
}  // namespace caesura::testing
