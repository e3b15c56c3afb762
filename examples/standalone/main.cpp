// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Three documents packed into one tensor; each token sees itself and up to 32 tokens before it, in its own document.

#include <caesura/caesura.hpp>

#include <Kokkos_Core.hpp>

#include <cstdio>

int main(int argc, char* argv[]) {
  Kokkos::ScopeGuard kokkos(argc, argv);
  try {
    const Kokkos::DefaultExecutionSpace space;

    const auto documents = caesura::Documents::from_lengths({100, 80, 76});
    const auto mask = caesura::Mask::from_documents(
        documents, {.kind = caesura::MaskKind::causal, .window = {.left = 32, .right = 0}});
    const caesura::AttentionPlan plan(space, mask);

    using Tensor = Kokkos::View<float***, Kokkos::LayoutRight>;  // (tokens, heads, dim)
    const auto tokens = static_cast<std::size_t>(mask.total_q());
    const Tensor q("q", tokens, 8, 64), k("k", tokens, 2, 64), v("v", tokens, 2, 64), out("out", tokens, 8, 64);
    const Kokkos::View<float**, Kokkos::LayoutRight> lse("lse", tokens, 8);
    Kokkos::deep_copy(space, q, 0.5F);
    Kokkos::deep_copy(space, k, 0.25F);
    Kokkos::deep_copy(space, v, 2.0F);

    caesura::attention_forward(space, plan, q, k, v, out, lse, {.softcap = 30.0});

    const Tensor dout("dout", tokens, 8, 64), dq("dq", tokens, 8, 64), dk("dk", tokens, 2, 64), dv("dv", tokens, 2, 64);
    Kokkos::deep_copy(space, dout, 1.0F);
    caesura::attention_backward(space, plan, dout, q, k, v, out, lse, dq, dk, dv, {.softcap = 30.0});

    // A weighted mean of equal values is that value, and what dout puts in, dv gives out.
    float first = 0;
    Kokkos::deep_copy(first, Kokkos::subview(out, tokens - 1, 7, 63));
    double total = 0;
    Kokkos::parallel_reduce(
        "standalone::total", Kokkos::RangePolicy<Kokkos::DefaultExecutionSpace>(space, 0, dv.size()),
        KOKKOS_LAMBDA(std::size_t i, double& sum) { sum += dv.data()[i]; }, total);
    std::printf("%zu tokens, %lld visible pairs, out = %.3f, sum of dv = %.0f\n", tokens,
                static_cast<long long>(mask.area()), first, total);
    const double expected = static_cast<double>(dout.size());
    return first > 1.999F && first < 2.001F && total > 0.999 * expected && total < 1.001 * expected ? 0 : 1;
  } catch (const caesura::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
