// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/errors.hpp>
#include <support/tool_events.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

namespace caesura::testing {
namespace {

/// Sets CAESURA_FORCE_KERNEL as long as it lives.
class ForcedKernel {
 public:
  explicit ForcedKernel(const char* name) { setenv("CAESURA_FORCE_KERNEL", name, 1); }
  ~ForcedKernel() { unsetenv("CAESURA_FORCE_KERNEL"); }
  ForcedKernel(const ForcedKernel&) = delete;
  ForcedKernel& operator=(const ForcedKernel&) = delete;
};

ForwardProblem forward_problem() {
  ForwardProblem problem;
  problem.shape.heads_q = problem.shape.heads_kv = problem.shape.dim_qk = problem.shape.dim_v = 1;
  return problem;
}

template <class ExecSpace>
class Registry : public ::testing::Test {};
using Spaces = ::testing::Types<Kokkos::DefaultExecutionSpace
#ifdef KOKKOS_ENABLE_SERIAL
                                ,
                                Kokkos::Serial
#endif
                                >;
TYPED_TEST_SUITE(Registry, Spaces);

TYPED_TEST(Registry, KernelsAreCompleteAndOrdered) {
  const auto all = kernels<TypeParam>();
  ASSERT_FALSE(all.empty());
  std::set<std::string_view> names;
  for (const auto& kernel : all) {
    EXPECT_FALSE(kernel.name.empty());
    EXPECT_FALSE(kernel.description.empty()) << kernel.name;
    ASSERT_TRUE(kernel.refuses_forward && kernel.refuses_backward) << kernel.name;
    // Who is listed for its refusal alone has nothing to run.
    for (const ScalarType type :
         {ScalarType::float64, ScalarType::float32, ScalarType::float16, ScalarType::bfloat16}) {
      ForwardProblem forward = forward_problem();
      BackwardProblem backward;
      backward.shape = forward.shape;
      forward.shape.type = backward.shape.type = type;
      EXPECT_TRUE(kernel.forward || !kernel.refuses_forward(forward).empty()) << kernel.name;
      EXPECT_TRUE(kernel.backward || !kernel.refuses_backward(backward).empty()) << kernel.name;
    }
    EXPECT_TRUE(names.insert(kernel.name).second) << kernel.name << " is there twice";
  }
  EXPECT_TRUE(
      std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.priority > b.priority; }));
}

TYPED_TEST(Registry, PortableIsThereAndRefusesNothing) {
  const auto all = kernels<TypeParam>();
  const auto portable =
      std::find_if(all.begin(), all.end(), [](const auto& kernel) { return kernel.name == "portable"; });
  ASSERT_NE(portable, all.end());
  EXPECT_EQ(portable->refuses_forward(forward_problem()), "");
  EXPECT_EQ(portable->refuses_backward({}), "");
}

TYPED_TEST(Registry, SelectsByNameEnvironmentAndPriority) {
  const ForwardProblem problem = forward_problem();
  const auto best = std::find_if(kernels<TypeParam>().begin(), kernels<TypeParam>().end(),
                                 [&](const auto& kernel) { return kernel.refuses_forward(problem).empty(); });
  EXPECT_EQ(select_kernel<TypeParam>(problem, "").name, best->name);
  EXPECT_EQ(select_kernel<TypeParam>(problem, "portable").name, "portable");
  {
    const ForcedKernel forced("portable");
    EXPECT_EQ(select_kernel<TypeParam>(problem, "").name, "portable");
    EXPECT_EQ(select_kernel<TypeParam>(BackwardProblem{}, "").name, "portable");
  }
  const ForcedKernel wrong("fastest");
  expect_invalid({"attention_forward: CAESURA_FORCE_KERNEL = fastest", "known are", "portable"},
                 [&] { select_kernel<TypeParam>(problem, ""); });
  expect_invalid({"attention_backward: CAESURA_FORCE_KERNEL = fastest"},
                 [&] { select_kernel<TypeParam>(BackwardProblem{}, ""); });
  // A name in the call is stronger.
  EXPECT_EQ(select_kernel<TypeParam>(problem, "portable").name, "portable");
}

TYPED_TEST(Registry, UnknownNamesListTheKnown) {
  expect_invalid({"attention_forward: variant = fastest", "known are", "portable"},
                 [] { select_kernel<TypeParam>(forward_problem(), "fastest"); });
  expect_invalid({"attention_backward: variant = Portable", "known are", "portable"},
                 [] { select_kernel<TypeParam>(BackwardProblem{}, "Portable"); });
}

TEST(RegistryRefusals, HostTileSaysWhatItNeeds) {
  const auto all = kernels<Kokkos::DefaultHostExecutionSpace>();
  const auto kernel = std::find_if(all.begin(), all.end(), [](const auto& entry) { return entry.name == "host_tile"; });
  ASSERT_NE(kernel, all.end());
  ForwardProblem problem = forward_problem();
  problem.shape.type = ScalarType::float32;
  const std::string build = "needs a Kokkos for the host alone";
  const std::string_view other_type = kernel->refuses_forward(problem);
  EXPECT_TRUE(other_type == "is for bfloat16 alone" || other_type.starts_with(build)) << other_type;
  problem.shape.type = ScalarType::bfloat16;
  const std::string_view reason = kernel->refuses_forward(problem);
  EXPECT_TRUE(reason.empty() || reason.starts_with(build) ||
              reason == "the processor has no tiles of bfloat16 (amx_tile, amx_bf16)" ||
              reason ==
                  "the system does not let this process use the processor's tiles (arch_prctl, "
                  "ARCH_REQ_XCOMP_PERM)")
      << reason;
}

TEST(RegistryLabels, LaunchesCarryTheKernelsName) {
  const Problem problem(Mask::from_documents(Documents::from_lengths({20, 13})), {2, 1, 8, 8}, 111);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  for (const std::string& name : kernel_names()) {
    DeviceCase<float> device(problem);
    device.options.variant = name;
    Kokkos::fence();
    const ToolEvents events;
    device.forward(Space(), plan);
    device.backward(Space(), plan);
    Space().fence();
    for (const std::string& kernel : events.kernels()) {
      EXPECT_TRUE(kernel.starts_with("caesura::forward::" + name) || kernel.starts_with("caesura::backward::" + name))
          << kernel;
    }
    EXPECT_GE(events.kernels().size(), 2u);
  }
}

}  // namespace
}  // namespace caesura::testing
