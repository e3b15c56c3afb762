// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/batch.hpp>
#include <support/attention_case.hpp>
#include <support/errors.hpp>
#include <support/tool_events.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

constexpr std::int64_t seq = 256;
constexpr HeadShape shape = {8, 4, 64, 64};

/// Offsets of a batch, `(batch, max_docs + 1)`: boundaries of each entry, filled up with repeated ends.
class BatchOffsets {
 public:
  BatchOffsets(const std::vector<std::vector<std::int32_t>>& lengths, std::size_t max_docs)
      : batch_(static_cast<std::int64_t>(lengths.size())), table_("cu_seqlens", lengths.size(), max_docs + 1) {
    for (const auto& entry : lengths) {
      std::int32_t end = 0;
      flat_.push_back(0);
      for (std::size_t i = 0; i < max_docs; ++i) flat_.push_back(end += i < entry.size() ? entry[i] : 0);
    }
    const auto host = Kokkos::create_mirror_view(table_);
    std::copy(flat_.begin(), flat_.end(), host.data());
    Kokkos::deep_copy(table_, host);
  }

  std::int64_t batch() const { return batch_; }
  const auto& device() const { return table_; }
  Documents documents() const { return Documents::from_batch(flat_, batch_, seq); }

 private:
  std::int64_t batch_;
  std::vector<std::int32_t> flat_;
  Kokkos::View<std::int32_t**, Kokkos::LayoutRight, Space> table_;
};

/// Forward and backward on rank-4 Views.
template <class Scalar>
DeviceCase<Scalar> run_batched(const Problem& problem, const AttentionPlan<Space>& plan, std::int64_t batch,
                               const std::string& variant = {}) {
  DeviceCase<Scalar> device(problem);
  const auto view = [&](const auto& tensor) { return tensor.batched(batch); };
  device.options.variant = variant;
  device.options.row_max = device.row_max.batched_matrix(batch);
  const ViewRef lse = device.lse.batched_matrix(batch);
  attention_forward(Space(), plan, view(device.q), view(device.k), view(device.v), view(device.out), lse,
                    device.options);
  attention_backward(Space(), plan, view(device.dout), view(device.q), view(device.k), view(device.v), view(device.out),
                     lse, view(device.dq), view(device.dk), view(device.dv), device.options);
  Space().fence();
  return device;
}

template <class Scalar>
void check_batched(const Problem& problem, const Results& expected, const AttentionPlan<Space>& plan,
                   std::int64_t batch) {
  for (const std::string& name : kernel_names()) {
    SCOPED_TRACE(text(name_of(scalar_type_v<Scalar>), ", kernel ", name));
    const auto type = scalar_type_v<Scalar>;
    expect_close(problem, expected, run_batched<Scalar>(problem, plan, batch, name).download(), type, type);
  }
}

struct BatchCase {
  const char* name;
  std::vector<std::vector<std::int32_t>> lengths;
  DocumentMask rule = {};
  std::size_t max_docs = 8;
};

class Batch : public ::testing::TestWithParam<BatchCase> {};

TEST_P(Batch, AgreesWithTheReference) {
  const BatchOffsets offsets(GetParam().lengths, GetParam().max_docs);
  const Problem problem(Mask::from_documents(offsets.documents(), GetParam().rule), shape, 51);
  const Results expected = expected_results(problem);
  const AttentionPlan<Space> plan(Space(), batch_offsets(offsets.device(), seq), GetParam().rule);
  plan.validate(Space());
  check_batched<float>(problem, expected, plan, offsets.batch());
  check_batched<bfloat16>(problem, expected, plan, offsets.batch());
  if (offsets.batch() == 1) {
    check_batched<double>(problem, expected, plan, offsets.batch());
    check_batched<half>(problem, expected, plan, offsets.batch());
  }
}

const DocumentMask full = {.kind = MaskKind::full};
const DocumentMask window_32 = {.window = {32, 0}};

INSTANTIATE_TEST_SUITE_P(
    Cases, Batch,
    ::testing::Values(BatchCase{"one_entry_causal", {{100, 80, 76}}},
                      BatchCase{"one_entry_full", {{100, 80, 76}}, full},
                      BatchCase{"one_entry_window", {{100, 80, 76}}, window_32}, BatchCase{"one_document", {{256}}},
                      BatchCase{"two_uniform", {{64, 64, 64, 64}, {64, 64, 64, 64}}},
                      BatchCase{"two_uniform_window", {{64, 64, 64, 64}, {64, 64, 64, 64}}, window_32},
                      BatchCase{"four_uniform", {{128, 128}, {128, 128}, {128, 128}, {128, 128}}},
                      BatchCase{"two_with_3_and_5", {{100, 80, 76}, {50, 60, 40, 56, 50}}},
                      BatchCase{"three_with_2_4_6", {{200, 56}, {64, 100, 30, 62}, {40, 50, 60, 20, 36, 50}}},
                      // Not among the published ones: entries that end early, and empty ones.
                      BatchCase{"short_entries", {{100, 30}, {}, {0, 0, 256}}}),
    [](const auto& test) { return test.param.name; });

TEST(BatchForm, MaxDocsChangesNoBit) {
  const std::vector<std::vector<std::int32_t>> lengths = {{100, 80, 76}, {56, 100, 100}};
  const BatchOffsets narrow(lengths, 3), wide(lengths, 8);
  const Problem problem(Mask::from_documents(narrow.documents()), shape, 52);
  const AttentionPlan<Space> plan_narrow(Space(), batch_offsets(narrow.device(), seq));
  const AttentionPlan<Space> plan_wide(Space(), batch_offsets(wide.device(), seq));
  for (const std::string& name : kernel_names()) {
    EXPECT_EQ(run_batched<float>(problem, plan_narrow, 2, name).bits(),
              run_batched<float>(problem, plan_wide, 2, name).bits());
    EXPECT_EQ(run_batched<bfloat16>(problem, plan_narrow, 2, name).bits(),
              run_batched<bfloat16>(problem, plan_wide, 2, name).bits());
  }
}

TEST(BatchForm, IsAViewOfThePackedForm) {
  const BatchOffsets offsets({{100, 80, 76}, {56, 100, 100}}, 4);
  const Problem problem(Mask::from_documents(offsets.documents()), shape, 53);
  const AttentionPlan<Space> from_device(Space(), batch_offsets(offsets.device(), seq)),
      from_host(Space(), problem.mask);
  DeviceCase<float> packed(problem);
  packed.forward(Space(), from_host);
  packed.backward(Space(), from_host);
  Space().fence();
  EXPECT_EQ(run_batched<float>(problem, from_device, 2).bits(), packed.bits());
}

TEST(BatchForm, ShapesFollowFromExtentsAlone) {
  const BatchOffsets one({{256}, {256}}, 4), many({{64, 64, 64, 64}, {1, 2, 3, 4}}, 4);
  const AttentionPlan<Space> a(Space(), batch_offsets(one.device(), seq)),
      b(Space(), batch_offsets(many.device(), seq));
  EXPECT_EQ(a.total_q(), 2 * seq);
  EXPECT_EQ(a.total_k(), 2 * seq);
  EXPECT_EQ(a.memory_bytes(), b.memory_bytes());
  EXPECT_EQ(a.rows().intervals.layers, b.rows().intervals.layers);
}

TEST(BatchForm, HeadsMustFit) {
  const BatchOffsets offsets({{100, 80, 76}}, 3);
  const AttentionPlan<Space> plan(Space(), batch_offsets(offsets.device(), seq));
  const Mask mask = Mask::from_documents(offsets.documents());
  const auto run = [&](HeadShape heads) { run_batched<float>(Problem(mask, heads, 54), plan, 1); };
  expect_invalid({"attention_forward: heads_q = 8 is not a multiple of heads_kv = 3"}, [&] { run({8, 3, 64, 64}); });
  expect_invalid({"attention_forward: heads_q = 4 is not a multiple of heads_kv = 8"}, [&] { run({4, 8, 64, 64}); });
  // Keys and values of unequal heads: nothing is broadcast silently.
  const DeviceCase<float> k8(Problem(mask, {8, 8, 64, 64}, 55)), v4(Problem(mask, {8, 4, 64, 64}, 56));
  expect_invalid({"attention_forward: v has 4 heads", "heads_kv = 8"}, [&] {
    attention_forward(Space(), plan, k8.q.batched(1), k8.k.batched(1), v4.v.batched(1), k8.out.batched(1),
                      k8.lse.batched_matrix(1));
  });
}

TEST(BatchForm, TheBackwardNeverRunsTheForward) {
  const BatchOffsets offsets({{100, 80, 76}}, 3);
  const AttentionPlan<Space> plan(Space(), batch_offsets(offsets.device(), seq));
  const Problem problem(Mask::from_documents(offsets.documents()), shape, 57);
  const DeviceCase<float> device(problem);
  const auto count = [](const ToolEvents& events, const char* prefix) {
    std::ptrdiff_t n = 0;
    for (const std::string& kernel : events.kernels()) n += kernel.starts_with(prefix);
    return n;
  };
  for (const std::string& name : kernel_names()) {
    DeviceCase<float> named = device;
    named.options.variant = name;
    Kokkos::fence();
    const ToolEvents events;
    named.forward(Space(), plan);
    const auto forward_launches = count(events, "caesura::forward::");
    EXPECT_GE(forward_launches, 1);
    EXPECT_EQ(count(events, "caesura::backward::"), 0);
    events.clear();
    named.backward(Space(), plan);
    const auto backward_launches = count(events, "caesura::backward::");
    EXPECT_GE(backward_launches, 1);
    EXPECT_EQ(count(events, "caesura::forward::"), 0);
    events.clear();
    for (int iteration = 0; iteration < 3; ++iteration) {
      named.forward(Space(), plan);
      named.backward(Space(), plan);
    }
    EXPECT_EQ(count(events, "caesura::forward::"), 3 * forward_launches);
    EXPECT_EQ(count(events, "caesura::backward::"), 3 * backward_launches);
    Space().fence();
  }
}

}  // namespace
}  // namespace caesura::testing
