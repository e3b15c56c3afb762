// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

/// Keys 0 to 6 belong to a past that the documents behind it do not see.
template <class Scalar>
class MicroSequence : public ::testing::Test {};
using Scalars = ::testing::Types<double, float, half, bfloat16>;
TYPED_TEST_SUITE(MicroSequence, Scalars);

TYPED_TEST(MicroSequence, APastThatIsNotSeenGetsNoGradient) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({4, 1, 10})).shifted(0, 7, 15, 22);
  const Problem problem(mask, {4, 2, 16, 16}, 71);
  const AttentionPlan<Space> plan(Space(), mask);
  const Results expected = expected_results(problem);
  for (const std::string& name : kernel_names()) {
    for (const GradientMode mode : {GradientMode::overwrite, GradientMode::accumulate}) {
      SCOPED_TRACE(text(name, mode == GradientMode::accumulate ? ", accumulate" : ", overwrite"));
      DeviceCase<TypeParam> device(problem, {.kv = Layout::interleaved});
      device.options.variant = name;
      device.options.gradients = mode;
      if (mode == GradientMode::accumulate) {
        device.dk.upload(reference::Tensor(22, 2, 16));
        device.dv.upload(reference::Tensor(22, 2, 16));
      }
      device.forward(Space(), plan);
      device.backward(Space(), plan);
      Space().fence();
      for (const auto& bits : {device.dk.bits(), device.dv.bits()}) {
        for (std::size_t i = 0; i < bits.size() / 22 * 7; ++i) ASSERT_EQ(bits[i], std::byte{0}) << i;
      }
      expect_close(problem, expected, device.download(), scalar_type_v<TypeParam>, scalar_type_v<TypeParam>, name);
    }
  }
}

struct MicroCase {
  std::vector<std::int64_t> lengths;
  DocumentMask rule;
  HeadShape shape;
};

/// Runs micro-sequence after micro-sequence on one key/value buffer, then the backward in reverse order into one
/// gradient buffer, and compares with one attention over everything.
template <class Scalar>
void check_micro_sequences(const MicroCase& test, std::int64_t size) {
  const Documents documents = Documents::from_lengths(test.lengths);
  const Mask whole = Mask::from_documents(documents, test.rule);
  const std::int64_t total = documents.total_q();
  struct Step {
    Range q, k;
    Mask mask;
  };
  std::vector<Step> steps;
  std::vector<BandSlice> seen;
  for (std::int64_t begin = 0; begin < total; begin += size) {
    const Range q = {begin, std::min(begin + size, total)};
    Range k = {q.begin, q.end};
    // Keys begin with the first document that the queries still see.
    for (const Document& d : documents) {
      if (d.q.begin <= q.begin && q.begin < d.q.end) k.begin = d.k.begin;
    }
    const Mask part = whole.restricted(q, k);
    seen.insert(seen.end(), part.slices().begin(), part.slices().end());
    steps.push_back({q, k, part.shifted(-q.begin, -k.begin, q.size(), k.size())});
  }
  const Problem problem(Mask::from_slices(total, total, seen), test.shape, 72);
  const Results expected = expected_results(problem);
  const Space space;
  for (const std::string& name : kernel_names()) {
    SCOPED_TRACE(text(name, ", micro-sequences of ", size, ", ", describe(problem)));
    DeviceCase<Scalar> device(problem, {.kv = Layout::interleaved});
    device.options.variant = name;
    // Sums over steps stay in the accumulator type.
    using Accumulator = accumulator_t<Scalar>;
    const auto dk = DeviceTensor<Accumulator>::from(reference::Tensor(total, test.shape.heads_kv, test.shape.dim_qk),
                                                    Layout::interleaved);
    const auto dv = DeviceTensor<Accumulator>::from(reference::Tensor(total, test.shape.heads_kv, test.shape.dim_v),
                                                    Layout::interleaved);
    std::vector<AttentionPlan<Space>> plans;
    for (const Step& step : steps) {
      plans.emplace_back(space, step.mask);
      device.options.row_max = device.row_max.matrix_rows(step.q.begin, step.q.end);
      attention_forward(space, plans.back(), device.q.rows(step.q.begin, step.q.end),
                        device.k.rows(step.k.begin, step.k.end), device.v.rows(step.k.begin, step.k.end),
                        device.out.rows(step.q.begin, step.q.end), device.lse.matrix_rows(step.q.begin, step.q.end),
                        device.options);
    }
    device.options.gradients = GradientMode::accumulate;
    for (std::size_t i = steps.size(); i-- > 0;) {
      const Range q = steps[i].q, k = steps[i].k;
      attention_backward(space, plans[i], device.dout.rows(q.begin, q.end), device.q.rows(q.begin, q.end),
                         device.k.rows(k.begin, k.end), device.v.rows(k.begin, k.end), device.out.rows(q.begin, q.end),
                         device.lse.matrix_rows(q.begin, q.end), device.dq.rows(q.begin, q.end),
                         dk.rows(k.begin, k.end), dv.rows(k.begin, k.end), device.options);
    }
    space.fence();
    Results got = device.download();
    got.dk = dk.download();
    got.dv = dv.download();
    expect_close(problem, expected, got, scalar_type_v<Scalar>, scalar_type_v<Scalar>, name);
  }
}

class MicroSequences : public ::testing::TestWithParam<MicroCase> {};

TEST_P(MicroSequences, AddUpToOneAttention) {
  for (const std::int64_t size : {4, 7, 40}) {
    check_micro_sequences<double>(GetParam(), size);
    check_micro_sequences<float>(GetParam(), size);
    check_micro_sequences<bfloat16>(GetParam(), size);
  }
}

std::vector<MicroCase> micro_cases() {
  std::vector<MicroCase> cases;
  const std::vector<std::vector<std::int64_t>> lengths = {{15}, {6, 9}, {4, 1, 10}, {20, 32, 10, 11, 9, 18}};
  for (const auto& documents : lengths) {
    for (const DocumentMask& rule :
         {DocumentMask{}, DocumentMask{.kind = MaskKind::full}, DocumentMask{.window = {4, 0}}}) {
      cases.push_back({documents, rule, {4, 1, 16, 16}});
      cases.push_back({documents, rule, {2, 2, 16, 16}});
    }
  }
  cases.push_back({{4, 1, 10}, {}, {2, 1, 320, 320}});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, MicroSequences, ::testing::ValuesIn(micro_cases()));

TEST(MicroSequenceOffsets, KeysAreNarrowedToTheFirstDocumentStillSeen) {
  // Documents of 3, 6 and 6 tokens, the window of queries begins at 5: the second has 4 queries left, but all its keys.
  const std::vector<std::int64_t> cu_q = {0, 4, 10}, cu_k = {0, 6, 12};
  const Mask narrowed =
      Mask::from_documents(Documents::from_lengths({3, 6, 6})).restricted({5, 15}, {3, 15}).shifted(-5, -3, 10, 12);
  EXPECT_EQ(Mask::from_documents(
                Documents::from_cu_seqlens(std::span<const std::int64_t>(cu_q), std::span<const std::int64_t>(cu_k))),
            narrowed);
}

}  // namespace
}  // namespace caesura::testing
