// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/in_process.hpp>
#include <caesura/distributed/distribute.hpp>
#include <support/distributed_case.hpp>
#include <support/errors.hpp>
#include <support/random_problem.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <mutex>
#include <numeric>
#include <tuple>

namespace caesura::testing {
namespace {

using comm::Communicator;
using solver::Placement;
using RankBody = std::function<void(const Communicator&, const RankSpace&)>;

void on_ranks(int ranks, const RankBody& body) {
  comm::run_in_process(ranks, [&](const Communicator& communicator) { body(communicator, make_rank_space()); });
}

/// Every row and element has a value of its own.
template <class View>
void number(const View& view, std::int64_t first_row) {
  using Value = typename View::non_const_value_type;
  const std::size_t width = view.extent(0) ? view.size() / view.extent(0) : 0;
  for (std::size_t i = 0; i < view.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i / width) + first_row;
    view.data()[i] = static_cast<Value>(row * 8 + static_cast<std::int64_t>(i % width));
  }
}

/// What `number` gives the rows of one rank.
template <class View>
void number_own(const View& view, const std::vector<std::int64_t>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = Kokkos::subview(view, std::pair(i, i + 1), Kokkos::ALL, Kokkos::ALL);
    number(row, rows[i]);
  }
}

template <class View>
std::vector<double> values(const View& view) {
  std::vector<double> result;
  for (std::size_t i = 0; i < view.size(); ++i) result.push_back(static_cast<double>(view.data()[i]));
  return result;
}

template <class Value>
class Distribute : public ::testing::Test {
 protected:
  using View = Kokkos::View<Value***, Kokkos::LayoutRight, Kokkos::HostSpace>;
  static View make(std::int64_t rows) { return View("test", static_cast<std::size_t>(rows), 2, 3); }
};
using Values = ::testing::Types<double, float, std::int32_t, std::int64_t, std::uint16_t, unsigned char>;
TYPED_TEST_SUITE(Distribute, Values);

TYPED_TEST(Distribute, GivesEachRankItsRowsAndCollectsThem) {
  using Rows = typename TestFixture::View;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    Random random(seed);
    const auto ranks = static_cast<std::int32_t>(random.integer(1, 5));
    const Mask mask = random_mask(random, 30);
    const Placement placement = random_placement(random, ranks, mask);
    for (const Side side : {Side::queries, Side::keys}) {
      const std::int64_t total = side == Side::queries ? placement.total_q() : placement.total_k();
      for (const int root : {every_rank, 0, ranks - 1}) {
        SCOPED_TRACE(text("seed ", seed, ", ", ranks, " ranks, root ", root, side == Side::keys ? ", keys" : ""));
        on_ranks(ranks, [&](const Communicator& communicator, const RankSpace& space) {
          const bool has_whole = root == every_rank || communicator.rank() == root;
          const auto rows = position_ids(placement, communicator.rank(), side);
          const Rows whole = TestFixture::make(has_whole ? total : 0), again = TestFixture::make(has_whole ? total : 0),
                     own = TestFixture::make(static_cast<std::int64_t>(rows.size())),
                     wanted = TestFixture::make(static_cast<std::int64_t>(rows.size()));
          number(whole, 0);
          number_own(wanted, rows);
          const std::int64_t sent = communicator.bytes_sent();
          distribute(space, communicator, placement, whole, own, root, side).wait();
          space.fence();
          EXPECT_EQ(values(own), values(wanted)) << "rank " << communicator.rank();
          if (root == every_rank) {
            EXPECT_EQ(communicator.bytes_sent(), sent) << "rows travelled that were there";
          }
          collect(space, communicator, placement, own, again, root, side).wait();
          space.fence();
          EXPECT_EQ(values(again), values(whole)) << "rank " << communicator.rank();
        });
      }
    }
    if (this->HasFailure()) return;
  }
}

TYPED_TEST(Distribute, RollShiftsTheWholeSequence) {
  using Rows = typename TestFixture::View;
  for (std::uint64_t seed = 20; seed < 28; ++seed) {
    Random random(seed);
    const auto ranks = static_cast<std::int32_t>(random.integer(1, 5));
    const std::int64_t total = random.integer(1, 25);
    const Placement placement = Placement::together(ranks, total, random_owners(random, ranks, total, 4));
    for (const std::int64_t shift : {std::int64_t{0}, std::int64_t{1}, std::int64_t{-1}, total - 1, total, total + 3,
                                     -3 * total - 2, std::int64_t{7}}) {
      SCOPED_TRACE(text("seed ", seed, ", ", ranks, " ranks, total ", total, ", shift ", shift));
      on_ranks(ranks, [&](const Communicator& communicator, const RankSpace& space) {
        std::vector<std::int64_t> rows = position_ids(placement, communicator.rank());
        const auto count = static_cast<std::int64_t>(rows.size());
        const Rows own = TestFixture::make(count), rolled = TestFixture::make(count), back = TestFixture::make(count),
                   wanted = TestFixture::make(count);
        number_own(own, rows);
        roll(space, communicator, placement, own, rolled, shift).wait();
        roll(space, communicator, placement, rolled, back, -shift).wait();
        space.fence();
        for (std::int64_t& row : rows) row = ((row - shift) % total + total) % total;
        number_own(wanted, rows);
        EXPECT_EQ(values(rolled), values(wanted)) << "rank " << communicator.rank();
        EXPECT_EQ(values(back), values(own)) << "rank " << communicator.rank();
      });
    }
    if (this->HasFailure()) return;
  }
}

/// Three ranks, seven rows, rank 1 has none.
Placement small() { return Placement::together(3, 7, {{{0, 2}, 2}, {{2, 5}, 0}, {{5, 7}, 2}}); }

TEST(DistributeRolls, TheAdjointIsTheRollBack) {
  // <roll(x), y> = <x, roll_back(y)>, summed over ranks; small integers, so exactly.
  for (const std::int64_t shift : {1, -2, 12}) {
    std::mutex mutex;
    double left = 0, right = 0;
    on_ranks(3, [&](const Communicator& communicator, const RankSpace& space) {
      const auto own = static_cast<std::size_t>(small().queries_of(communicator.rank()).size());
      using View = Kokkos::View<double*, Kokkos::HostSpace>;
      const View x("x", own), y("y", own), rolled("rolled", own), back("back", own);
      Random random(static_cast<std::uint64_t>(communicator.rank()));
      for (std::size_t i = 0; i < own; ++i) {
        x(i) = static_cast<double>(random.integer(-9, 9));
        y(i) = static_cast<double>(random.integer(-9, 9));
      }
      roll(space, communicator, small(), x, rolled, shift).wait();
      roll(space, communicator, small(), y, back, -shift).wait();
      space.fence();
      const std::lock_guard lock(mutex);
      left += std::inner_product(rolled.data(), rolled.data() + own, y.data(), 0.0);
      right += std::inner_product(x.data(), x.data() + own, back.data(), 0.0);
    });
    EXPECT_EQ(left, right) << "shift " << shift;
    EXPECT_NE(left, 0) << "shift " << shift;
  }
}

TEST(DistributeRolls, LabelsAreTheSuccessors) {
  on_ranks(3, [](const Communicator& communicator, const RankSpace& space) {
    const auto positions = position_ids(small(), communicator.rank());
    using View = Kokkos::View<std::int64_t*, Kokkos::HostSpace>;
    const View tokens("tokens", positions.size()), labels("labels", positions.size());
    std::copy(positions.begin(), positions.end(), tokens.data());
    roll(space, communicator, small(), tokens, labels, -1).wait();
    space.fence();
    for (std::size_t i = 0; i < positions.size(); ++i) EXPECT_EQ(labels(i), (positions[i] + 1) % 7);
  });
}

TEST(DistributePositions, AreTheGlobalRowsInLocalOrder) {
  EXPECT_EQ(position_ids(small(), 0), (std::vector<std::int64_t>{2, 3, 4}));
  EXPECT_EQ(position_ids(small(), 1), (std::vector<std::int64_t>{}));
  EXPECT_EQ(position_ids(small(), 2), (std::vector<std::int64_t>{0, 1, 5, 6}));
  const Placement apart = Placement::apart(2, 2, {{{0, 2}, 1}}, 3, {{{0, 1}, 1}, {{1, 3}, 0}});
  EXPECT_EQ(position_ids(apart, 0), (std::vector<std::int64_t>{}));
  EXPECT_EQ(position_ids(apart, 0, Side::keys), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(position_ids(apart, 1, Side::keys), (std::vector<std::int64_t>{0}));
}

TEST(DistributePositions, RotateLikeOneRank) {
  // Rotary embedding of (x, 0) at position p: (cos(p theta) x, sin(p theta) x).
  const auto rotated = [](std::int64_t position, double x) {
    return std::pair(std::cos(0.3 * static_cast<double>(position)) * x,
                     std::sin(0.3 * static_cast<double>(position)) * x);
  };
  on_ranks(3, [&](const Communicator& communicator, const RankSpace& space) {
    using View = Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::HostSpace>;
    const auto positions = position_ids(small(), communicator.rank());
    const View own("own", positions.size(), 2), whole("whole", 7, 2);
    for (std::size_t i = 0; i < positions.size(); ++i)
      std::tie(own(i, 0), own(i, 1)) = rotated(positions[i], 1.0 + static_cast<double>(positions[i]));
    collect(space, communicator, small(), own, whole, every_rank).wait();
    space.fence();
    for (std::size_t row = 0; row < 7; ++row) {
      const auto wanted = rotated(static_cast<std::int64_t>(row), 1.0 + static_cast<double>(row));
      EXPECT_EQ(std::pair(whole(row, 0), whole(row, 1)), wanted) << "row " << row;
    }
  });
}

TEST(DistributeErrors, NameFunctionArgumentAndRule) {
  using View = Kokkos::View<float*, Kokkos::HostSpace>;
  // All ranks break the same rule, so that nobody waits.
  const auto fails = [](std::initializer_list<std::string_view> parts, const RankBody& body) {
    expect_invalid(parts, [&] { on_ranks(3, body); });
  };
  fails({"distribute: local has 8 rows: must be what this rank owns, "},
        [](const Communicator& communicator, const RankSpace& space) {
          distribute(space, communicator, small(), View("whole", 7), View("own", 8)).wait();
        });
  fails({"distribute: whole has 6 rows: must be the placement's total, 7"},
        [](const Communicator& communicator, const RankSpace& space) {
          const auto own = position_ids(small(), communicator.rank()).size();
          distribute(space, communicator, small(), View("whole", 6), View("own", own), every_rank).wait();
        });
  fails({"collect: local has 8 rows: must be what this rank owns, "},
        [](const Communicator& communicator, const RankSpace& space) {
          collect(space, communicator, small(), View("own", 8), View("whole", 7)).wait();
        });
  fails({"collect: whole has 6 rows: must be the placement's total, 7"},
        [](const Communicator& communicator, const RankSpace& space) {
          const auto own = position_ids(small(), communicator.rank()).size();
          collect(space, communicator, small(), View("own", own), View("whole", 6), every_rank).wait();
        });
  for (const int root : {-2, 3}) {
    const std::string rule = text("root = ", root, ": must be a rank below 3 or every_rank");
    fails({"distribute: ", rule}, [root](const Communicator& communicator, const RankSpace& space) {
      const auto own = position_ids(small(), communicator.rank()).size();
      distribute(space, communicator, small(), View("whole", 7), View("own", own), root).wait();
    });
    fails({"collect: ", rule}, [root](const Communicator& communicator, const RankSpace& space) {
      const auto own = position_ids(small(), communicator.rank()).size();
      collect(space, communicator, small(), View("own", own), View("whole", 7), root).wait();
    });
  }
  fails({"roll: from has 9 rows: must be what this rank owns, "},
        [](const Communicator& communicator, const RankSpace& space) {
          roll(space, communicator, small(), View("from", 9), View("to", 9), 1).wait();
        });
  fails({"roll: to has 9 rows: must be what this rank owns, "},
        [](const Communicator& communicator, const RankSpace& space) {
          const auto own = position_ids(small(), communicator.rank()).size();
          roll(space, communicator, small(), View("from", own), View("to", 9), 1).wait();
        });
}

}  // namespace
}  // namespace caesura::testing
