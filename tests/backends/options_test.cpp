// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace caesura::testing {
namespace {

Mask causal_mask() { return Mask::from_documents(Documents::from_lengths({60, 1, 47, 0, 33})); }

Mask layered_mask() {
  const Documents cross = Documents::from_lengths(std::vector<std::int64_t>{40, 0, 63, 30, 9},
                                                  std::vector<std::int64_t>{70, 10, 31, 30, 0});
  return Mask::from_documents(cross, {.window = {9, 0}, .prefix = 3});
}

Problem small_problem(Mask mask = causal_mask()) { return Problem(std::move(mask), {4, 2, 40, 24}, 11); }

TEST(Options, ScaleMayBeAnyFiniteValue) {
  for (const double scale : {0.0, -0.3, 1.0, 2.5}) {
    Problem problem = small_problem();
    problem.options.scale = scale;
    check_all_scalars(problem);
  }
}

TEST(Options, TheDefaultScaleIsOneOverTheRootOfTheDim) {
  const Problem problem = small_problem();
  const AttentionPlan<Space> plan(Space(), problem.mask);
  DeviceCase<double> given(problem), standard(problem);
  standard.options.softmax_scale.reset();
  for (const auto* device : {&given, &standard}) {
    device->forward(Space(), plan);
    device->backward(Space(), plan);
  }
  Space().fence();
  EXPECT_EQ(given.bits(), standard.bits());
}

TEST(Options, SoftcapBoundsLogits) {
  for (const double softcap : {0.5, 3.0, 50.0}) {
    Problem problem = small_problem();
    problem.options.softcap = softcap;
    problem.options.scale = 1;
    check_all_scalars(problem);
  }
}

TEST(Options, SinksJoinTheDenominatorAndHaveGradients) {
  for (const std::int64_t sinks : {1, 3}) {
    for (const Mask& mask : {causal_mask(), layered_mask()}) {
      Problem problem = small_problem(mask);
      problem.add_sink(sinks, 12);
      check_all_scalars(problem);
    }
  }
}

TEST(Options, ASinkPerHeadMayBeAVector) {
  Problem problem = small_problem();
  problem.add_sink(1, 12);
  const Results expected = expected_results(problem);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  DeviceCase<float> device(problem);
  Kokkos::View<float*, Space> sink("test", 4), dsink("test", 4);
  const auto host = Kokkos::create_mirror_view(sink);
  for (std::size_t h = 0; h < 4; ++h)
    host(h) = static_cast<float>(problem.options.sink(static_cast<std::int64_t>(h), 0));
  Kokkos::deep_copy(sink, host);
  device.options.sink = sink;
  device.options.dsink = dsink;
  device.forward(Space(), plan);
  device.backward(Space(), plan);
  Space().fence();
  Results got = device.download();
  const auto dsink_host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), dsink);
  for (std::int64_t h = 0; h < 4; ++h) got.dsink(h, 0) = static_cast<double>(dsink_host(static_cast<std::size_t>(h)));
  expect_close(problem, expected, got, ScalarType::float32, ScalarType::float32);
}

TEST(Options, ASinkOfMinusInfinityIsNone) {
  Problem problem = small_problem(layered_mask());
  problem.options.sink = reference::Tensor(4, 2, 1, -INFINITY);
  check_all_scalars(problem);
}

TEST(Options, RowsWithoutKeysHaveTheSinksLogSumExp) {
  Problem problem(Mask::from_slices(130, 70, {}), {4, 2, 16, 16}, 13);
  problem.add_sink(2, 14);
  check_all_scalars(problem);
}

TEST(Options, DropoutFollowsThePhiloxCounters) {
  for (const double probability : {0.1, 0.5, 0.99}) {
    for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{0x123456789abcdef0}}) {
      Problem problem = small_problem(layered_mask());
      problem.options.dropout = {probability, seed, std::uint64_t{7} << 32 | 3};
      check_all_scalars(problem);
    }
  }
}

TEST(Options, AllTogether) {
  Problem problem = small_problem(layered_mask());
  problem.add_sink(2, 15);
  problem.options.softcap = 2;
  problem.options.scale = -0.4;
  problem.options.dropout = {0.2, 99, 5};
  check_all_scalars(problem);
}

TEST(Options, DropoutKeepsAboutAsManyAsItShould) {
  const Dropout dropout = {.probability = 0.3, .seed = 17, .offset = 4};
  std::int64_t kept = 0;
  constexpr std::int64_t rows = 200, keys = 500;
  for (std::int64_t q = 0; q < rows; ++q) {
    for (std::int64_t k = 0; k < keys; ++k) kept += reference::keeps(dropout, 3, q, k);
  }
  EXPECT_NEAR(static_cast<double>(kept) / (rows * keys), 0.7, 0.01);
}

/// The words that Philox4x32-10's authors publish for counter 0 and key 0.
TEST(Options, PhiloxHasItsKnownAnswers) {
  const std::uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  for (std::int64_t key = 0; key < 4; ++key) {
    EXPECT_TRUE(reference::keeps({.probability = words[key] * 0x1p-32}, 0, 0, key)) << key;
    EXPECT_FALSE(reference::keeps({.probability = (words[key] + 1.0) * 0x1p-32}, 0, 0, key)) << key;
  }
}

TEST(Options, RowMaximaAndGradientsOfSinksAreOptional) {
  Problem problem = small_problem();
  problem.add_sink(1, 12);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  DeviceCase<float> all(problem), few(problem);
  few.options.row_max = {};
  few.options.dsink = {};
  for (const auto* device : {&all, &few}) {
    device->forward(Space(), plan);
    device->backward(Space(), plan);
  }
  Space().fence();
  EXPECT_TRUE(few.row_max.untouched() && few.dsink.untouched());
  EXPECT_EQ(few.out.bits(), all.out.bits());
  EXPECT_EQ(few.dk.bits(), all.dk.bits());
}

template <class Scalar>
class AnySumOrder : public ::testing::Test {};
TYPED_TEST_SUITE(AnySumOrder, AllScalars);

TYPED_TEST(AnySumOrder, AgreesWithTheReference) {
  constexpr ScalarType type = scalar_type_v<TypeParam>;
  for (const std::int64_t dim : {24, 32, 64, 96, 128, 192, 256}) {
    Problem problem(layered_mask(), {4, 2, dim, dim - 3}, 31);
    if (dim == 24) {
      problem.add_sink(2, 32);
      problem.options.softcap = 2;
      problem.options.dropout = {0.2, 33, 5};
    }
    const Results expected = expected_results(problem);
    const reference::Tensor dq = Random(34).tensor(problem.q.rows, 4, dim);
    const AttentionPlan<Space> plan(Space(), problem.mask);
    for (const std::string& name : kernel_names(type, dim)) {
      for (const GradientMode mode : {GradientMode::overwrite, GradientMode::accumulate}) {
        SCOPED_TRACE(text(describe(problem), ", kernel ", name, ", mode ", static_cast<int>(mode)));
        DeviceCase<TypeParam> device(problem);
        device.options.variant = name;
        device.options.sums = SumOrder::any;
        device.options.query_gradients = mode;
        Results wanted = expected;
        if (mode == GradientMode::accumulate) {
          device.dq.upload(dq);
          for (std::size_t i = 0; i < dq.values.size(); ++i) wanted.dq.values[i] += dq.values[i];
        }
        device.forward(Space(), plan);
        device.backward(Space(), plan);
        Space().fence();
        expect_close(problem, wanted, device.download(), type, type, name);
      }
    }
  }
}

/// dk, dv and dsink of two calls add up; rows that nobody saw keep what was there.
template <class Scalar>
class Accumulate : public ::testing::Test {};
TYPED_TEST_SUITE(Accumulate, AllScalars);

TYPED_TEST(Accumulate, AddsToWhatIsThere) {
  // Keys 100 to 139 are seen by no row.
  const Mask mask = Mask::from_documents(Documents::from_lengths({60, 40})).shifted(0, 0, 100, 140);
  Problem problem(mask, {4, 2, 24, 40}, 21);
  problem.add_sink(2, 22);
  Results expected = expected_results(problem);
  Random random(23);
  const reference::Tensor dk = random.tensor(140, 2, 24), dv = random.tensor(140, 2, 40),
                          dsink = random.tensor(4, 2, 1);
  const auto add = [](reference::Tensor& sum, const reference::Tensor& part) {
    for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += part.values[i];
  };
  add(expected.dk, dk);
  add(expected.dv, dv);
  add(expected.dsink, dsink);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
    SCOPED_TRACE(name);
    DeviceCase<TypeParam> device(problem);
    device.options.variant = name;
    device.options.gradients = GradientMode::accumulate;
    device.dk.upload(dk);
    device.dv.upload(dv);
    device.dsink.upload(dsink);
    const auto dk_before = device.dk.bits(), dv_before = device.dv.bits();
    device.forward(Space(), plan);
    device.backward(Space(), plan);
    Space().fence();
    const auto type = scalar_type_v<TypeParam>;
    expect_close(problem, expected, device.download(), type, type, name);
    const auto dk_after = device.dk.bits(), dv_after = device.dv.bits();
    const std::size_t dk_seen = dk_after.size() / 140 * 100, dv_seen = dv_after.size() / 140 * 100;
    EXPECT_EQ(std::memcmp(&dk_after[dk_seen], &dk_before[dk_seen], dk_after.size() - dk_seen), 0);
    EXPECT_EQ(std::memcmp(&dv_after[dv_seen], &dv_before[dv_seen], dv_after.size() - dv_seen), 0);
  }
}

TYPED_TEST(Accumulate, ToKeysThatNobodySeesChangesNoBit) {
  // Negative zero and NaN would not survive an addition of zero.
  const Problem problem(Mask::from_slices(130, 70, {}), {2, 1, 16, 16}, 24);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
    DeviceCase<TypeParam> device(problem);
    device.options.variant = name;
    device.options.gradients = GradientMode::accumulate;
    device.dv.upload(reference::Tensor(70, 1, 16, -0.0));
    const auto before = device.dv.bits();
    device.forward(Space(), plan);
    device.backward(Space(), plan);
    Space().fence();
    EXPECT_TRUE(device.dk.untouched()) << name;
    EXPECT_TRUE(device.dv.bits() == before) << name << ": dv changed";
  }
}

}  // namespace
}  // namespace caesura::testing
