// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/batch.hpp>
#include <support/attention_case.hpp>
#include <support/tool_events.hpp>

#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

TEST(Synchronization, IsSeenWhereItHappens) {
  const ToolEvents events;
  const Kokkos::View<int*, Space> view("test", 10);
  const auto mirror = Kokkos::create_mirror(view);
  events.clear();
  Kokkos::deep_copy(mirror, view);
  EXPECT_GE(events.deep_copies().size(), 1u);
  Space().fence("caesura::test fence");
  EXPECT_TRUE(events.saw_fence("caesura::test fence"));
}

TEST(Synchronization, IsSeenWhereAPlanIsValidated) {
  const auto cu = upload(std::vector<std::int32_t>{0, 100, 180, 256});
  const AttentionPlan<Space> plan(Space(), {.cu_seqlens_q = cu, .total_q = 256});
  const ToolEvents events;
  plan.validate(Space());
  EXPECT_TRUE(events.saw_fence("caesura::AttentionPlan::validate"));
}

#ifndef CAESURA_CHECKS
TEST(Synchronization, PlansFromDeviceOffsetsNeedNone) {
  const Space space;
  const auto cu = upload(std::vector<std::int32_t>{0, 100, 180, 256});
  const auto other = upload(std::vector<std::int32_t>{0, 10, 80, 80});
  space.fence();
  const ToolEvents events;
  AttentionPlan<Space> plan(space, {.cu_seqlens_q = cu, .total_q = 256}, {.window = {32, 0}, .prefix = 4});
  EXPECT_TRUE(events.silent()) << events.describe();
  EXPECT_FALSE(events.kernels().empty());
  events.clear();
  plan.update(space, {.cu_seqlens_q = other, .total_q = 256}, {.window = {16, 0}, .prefix = 4});
  EXPECT_TRUE(events.silent()) << events.describe();
  EXPECT_EQ(events.allocations().size(), 0u) << events.describe();
}

TEST(Synchronization, BatchedPlansNeedNone) {
  const auto cu = upload(std::vector<std::int32_t>{0, 100, 256, 0, 256, 256});
  const Kokkos::View<std::int32_t**, Kokkos::LayoutRight, Space::memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>
      table(cu.data(), 2, 3);
  Kokkos::fence();
  const ToolEvents events;
  const AttentionPlan<Space> plan(Space(), batch_offsets(table, 256));
  EXPECT_TRUE(events.silent()) << events.describe();
}

TEST(Synchronization, AttentionNeedsNoneAndAllocatesNothing) {
  const Space space;
  const Documents documents = Documents::from_lengths({100, 80, 76});
  Problem problem(Mask::from_documents(documents), {4, 2, 64, 64}, 5);
  problem.add_sink(1, 6);
  problem.options.softcap = 20;
  const DeviceCase<float> given(problem);
  const auto cu = upload(std::vector<std::int32_t>{0, 100, 180, 256});
  const Kokkos::View<std::byte*, Space> workspace(
      "test", static_cast<std::size_t>(backward_workspace_bytes(256, 4, ScalarType::float32)));
  for (const std::string& name : kernel_names()) {
    SCOPED_TRACE(name);
    DeviceCase<float> device = given;
    device.options.variant = name;
    device.options.workspace = workspace;
    Kokkos::fence();
    const ToolEvents events;
    // From offsets on the device to gradients in one go.
    const AttentionPlan<Space> plan(space, {.cu_seqlens_q = cu, .total_q = 256});
    events.clear_allocations();
    device.forward(space, plan);
    device.backward(space, plan);
    EXPECT_TRUE(events.silent()) << events.describe();
    // Kokkos' own scratch may grow on the first call, and only then.
    for (const std::string& label : events.allocations()) EXPECT_TRUE(label.starts_with("Kokkos::")) << label;
    events.clear_allocations();
    device.forward(space, plan);
    device.backward(space, plan);
    EXPECT_TRUE(events.silent() && events.allocations().empty()) << events.describe();
    for (const std::string& kernel : events.kernels()) EXPECT_TRUE(kernel.starts_with("caesura::")) << kernel;
    space.fence();
    expect_close(problem, expected_results(problem), device.download(), ScalarType::float32, ScalarType::float32);
  }
}
#endif

TEST(Synchronization, EveryLaunchHasALabelOfOurs) {
  const Problem problem(Mask::from_documents(Documents::from_lengths({100, 80}), {.window = {10, 0}, .prefix = 2}),
                        {2, 1, 16, 16}, 5);
  const DeviceCase<float> device(problem);
  const Space space;
  Kokkos::fence();
  const ToolEvents events;
  const AttentionPlan<Space> plan(space, problem.mask);
  device.forward(space, plan);
  device.backward(space, plan);
  space.fence();
  EXPECT_FALSE(events.kernels().empty());
  bool forward = false, backward = false;
  for (const std::string& kernel : events.kernels()) {
    EXPECT_TRUE(kernel.starts_with("caesura::")) << kernel;
    forward = forward || kernel.starts_with("caesura::forward::");
    backward = backward || kernel.starts_with("caesura::backward::");
  }
  EXPECT_TRUE(forward && backward) << events.describe();
}

}  // namespace
}  // namespace caesura::testing
