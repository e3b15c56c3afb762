// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/batch.hpp>
#include <support/attention_case.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

template <class Scalar>
class Strided : public ::testing::Test {
 protected:
  static DeviceCase<Scalar> run(const Problem& problem, const std::string& name, Layouts layouts = {}) {
    const AttentionPlan<Space> plan(Space(), problem.mask);
    DeviceCase<Scalar> device(problem, layouts);
    device.options.variant = name;
    device.forward(Space(), plan);
    device.backward(Space(), plan);
    Space().fence();
    return device;
  }
};
using Scalars = ::testing::Types<double, float, half, bfloat16>;
TYPED_TEST_SUITE(Strided, Scalars);

Problem strided_problem(std::int64_t dim) {
  return Problem(Mask::from_documents(Documents::from_lengths({60, 1, 47, 0, 33}), {.window = {30, 0}, .prefix = 2}),
                 {4, 2, dim, dim + 3}, 81);
}

/// What one step does; tiny documents share vectors of rows, which lie in two entries of a batch of three.
Problem short_documents(std::int64_t dim) {
  const std::vector<std::int64_t> lengths = {30, 1, 22, 0, 3, 3, 3, 31, 3};
  return Problem(Mask::from_documents(Documents::from_lengths(lengths)), {4, 2, dim, dim + 3}, 84);
}

TYPED_TEST(Strided, TensorsGiveTheSameBitsAsContiguousOnes) {
  for (const Problem& problem : {strided_problem(5), strided_problem(64), short_documents(5), short_documents(61)}) {
    const std::int64_t dim = problem.shape.dim_qk;
    for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
      const auto packed = this->run(problem, name).bits();
      for (const Layout layout : {Layout::padded, Layout::interleaved, Layout::heads_first, Layout::sbhd}) {
        for (const Layouts layouts :
             {Layouts{.q = layout}, Layouts{.kv = layout}, Layouts{.out = layout}, Layouts{layout, layout, layout}}) {
          SCOPED_TRACE(text(name, ", dim ", dim, ", layouts ", static_cast<int>(layouts.q),
                            static_cast<int>(layouts.kv), static_cast<int>(layouts.out)));
          const auto device = this->run(problem, name, layouts);
          EXPECT_EQ(device.bits(), packed);
          EXPECT_TRUE(device.out.untouched_around() && device.dq.untouched_around() && device.dk.untouched_around() &&
                      device.dv.untouched_around());
        }
      }
    }
  }
}

TEST(StridedViews, SbhdIsSeenAsABatchWithoutACopy) {
  constexpr std::size_t seq = 40, batch = 3, heads = 2, dim = 16;
  const Kokkos::View<float****, Kokkos::LayoutRight, Space> sbhd("sbhd", seq, batch, heads, dim);
  const auto bshd = from_sbhd(sbhd);
  ASSERT_EQ(bshd.extent(0), batch);
  ASSERT_EQ(bshd.extent(1), seq);
  for (const auto& [b, s, h, i] : {std::array<std::size_t, 4>{2, 39, 1, 15}, {0, 0, 0, 0}, {1, 17, 1, 3}}) {
    EXPECT_EQ(&bshd(b, s, h, i), &sbhd(s, b, h, i));
  }
  const Kokkos::View<const float****, Kokkos::LayoutRight, Space> constant = sbhd;
  static_assert(std::is_const_v<typename decltype(from_sbhd(constant))::value_type>);
}

TEST(StridedViews, StatisticsMayBeTransposed) {
  const Problem problem = strided_problem(16);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  const DeviceCase<float> row_major(problem);
  row_major.forward(Space(), plan);
  row_major.backward(Space(), plan);
  DeviceCase<float> other(problem);
  const Kokkos::View<float**, Kokkos::LayoutLeft, Space> lse("lse", 141, 4), row_max("row_max", 141, 4);
  other.options.row_max = row_max;
  attention_forward(Space(), plan, other.q, other.k, other.v, other.out, lse, other.options);
  attention_backward(Space(), plan, other.dout, other.q, other.k, other.v, other.out, lse, other.dq, other.dk, other.dv,
                     other.options);
  Space().fence();
  EXPECT_EQ(other.out.bits(), row_major.out.bits());
  EXPECT_EQ(other.dk.bits(), row_major.dk.bits());
  const reference::Tensor expected = row_major.lse.download();
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), lse);
  for (std::size_t row = 0; row < 141; ++row) {
    for (std::size_t head = 0; head < 4; ++head) {
      ASSERT_EQ(static_cast<double>(host(row, head)),
                expected(static_cast<std::int64_t>(row), static_cast<std::int64_t>(head)));
    }
  }
}

TEST(StridedViews, ConstInputsOfOrdinaryViews) {
  // What most users pass: LayoutRight Views, the inputs const.
  const Problem problem(Mask::from_documents(Documents::from_lengths({20, 13})), {2, 1, 8, 8}, 82);
  const Results expected = expected_results(problem);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  const auto fill = [](const reference::Tensor& values) {
    const Kokkos::View<float***, Kokkos::LayoutRight, Space> view("in", static_cast<std::size_t>(values.rows),
                                                                  static_cast<std::size_t>(values.heads),
                                                                  static_cast<std::size_t>(values.dim));
    const auto host = Kokkos::create_mirror_view(view);
    std::copy(values.values.begin(), values.values.end(), host.data());
    Kokkos::deep_copy(view, host);
    return Kokkos::View<const float***, Kokkos::LayoutRight, Space>(view);
  };
  const auto q = fill(problem.q), k = fill(problem.k), v = fill(problem.v);
  const Kokkos::View<float***, Kokkos::LayoutRight, Space> out("out", 33, 2, 8);
  const Kokkos::View<float**, Kokkos::LayoutRight, Space> lse("lse", 33, 2);
  attention_forward(Space(), plan, q, k, v, out, lse);
  Space().fence();
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), out);
  for (std::size_t i = 0; i < expected.out.values.size(); ++i)
    ASSERT_NEAR(static_cast<double>(host.data()[i]), expected.out.values[i], 1e-5);
}

}  // namespace
}  // namespace caesura::testing
