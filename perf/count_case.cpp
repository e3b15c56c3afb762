// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/caesura.hpp>

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// A small step of one kernel, for perf/count_instructions: `counted_step` is what it counts.
//
//     count_case                                        the compiler, then the kernels of this build, a line each
//     count_case forward|backward DIM VARIANT LENGTH..  float, documents of these lengths, 4 query and 2 key heads, causal

namespace {

using Space = Kokkos::DefaultHostExecutionSpace;
using Tensor = Kokkos::View<float***, Kokkos::LayoutRight, Space>;

struct Step {
  Step(int dim, std::string_view kernel, const std::vector<std::int64_t>& lengths)
      : variant(kernel),
        mask(caesura::Mask::from_documents(caesura::Documents::from_lengths(lengths))),
        plan(space, mask),
        q(random("q", 4, dim)),
        k(random("k", 2, dim)),
        v(random("v", 2, dim)),
        dout(random("dout", 4, dim)),
        out(random("out", 4, dim)),
        dq(random("dq", 4, dim)),
        dk(random("dk", 2, dim)),
        dv(random("dv", 2, dim)),
        lse("lse", q.extent(0), q.extent(1)),
        workspace("workspace", static_cast<std::size_t>(caesura::backward_workspace_bytes(
                                   mask.total_q(), 4, caesura::ScalarType::float32))) {}

  void forward() const { caesura::attention_forward(space, plan, q, k, v, out, lse, {.variant = variant}); }
  void backward() const {
    caesura::attention_backward(space, plan, dout, q, k, v, out, lse, dq, dk, dv,
                                {.workspace = workspace, .variant = variant});
  }

  Tensor random(const char* label, int heads, int dim) const {
    const Tensor view(label, static_cast<std::size_t>(mask.total_q()), static_cast<std::size_t>(heads),
                      static_cast<std::size_t>(dim));
    std::mt19937 engine(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (std::size_t i = 0; i < view.size(); ++i) view.data()[i] = uniform(engine);
    return view;
  }

  std::string variant;
  Space space;
  caesura::Mask mask;
  caesura::AttentionPlan<Space> plan;
  Tensor q, k, v, dout, out, dq, dk, dv;
  Kokkos::View<float**, Kokkos::LayoutRight, Space> lse;
  Kokkos::View<std::byte*, Space> workspace;
};

}  // namespace

/// Found by its name.
extern "C" [[gnu::noinline]] void counted_step(const Step& step, bool is_forward) {
  is_forward ? step.forward() : step.backward();
  step.space.fence();
}

int main(int argc, char** argv) try {
  const Kokkos::ScopeGuard guard(argc, argv);
  if (argc < 5) {
    std::printf("%s\n", __VERSION__);
    for (const caesura::Kernel<Space>& kernel : caesura::kernels<Space>())
      std::printf("%s\n", std::string(kernel.name).c_str());
    return argc == 1 ? 0 : 2;
  }
  std::vector<std::int64_t> lengths;
  for (int i = 4; i < argc; ++i) lengths.push_back(std::stoll(argv[i]));
  const Step step(std::stoi(argv[2]), argv[3], lengths);
  // Memory that is kept for later calls is not what is counted.
  step.forward();
  step.backward();
  step.space.fence();
  counted_step(step, std::string_view(argv[1]) == "forward");
  return 0;
} catch (const caesura::Error& error) {  // the kernel refuses
  std::fprintf(stderr, "count_case: %s\n", error.what());
  return 3;
}
