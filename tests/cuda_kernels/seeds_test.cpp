// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>

#include <emulator/launches.hpp>
#include <gtest/gtest.h>

namespace caesura::testing {
namespace {

TEST(CudaKernels, GiveTheSameBitsInWhateverOrderWarpsRunAndCopiesArrive) {
  const Mask mask = Mask::from_documents(Documents::from_lengths({150, 7, 0, 93}), {.window = {60, 3}, .prefix = 5});
  for (const std::int64_t dim : {40, 128, 192}) {
    Problem problem(mask, {4, 2, dim, dim}, 91);
    problem.add_sink(2, 92);
    problem.options.softcap = 5;
    problem.options.dropout = {0.1, 93, 94};
    const AttentionPlan<Space> plan(Space(), mask);
    std::vector<std::byte> first;
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      cuda_on_host::set_seed(1000 * seed);
      DeviceCase<bfloat16> device(problem);
      device.options.variant = "cuda_sm80";
      device.forward(Space(), plan);
      device.backward(Space(), plan);
      if (first.empty()) first = device.bits();
      EXPECT_EQ(device.bits(), first) << "dim " << dim << ", seed " << seed;
    }
  }
}

}  // namespace
}  // namespace caesura::testing
