// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/caesura.hpp>

#include <Kokkos_Core.hpp>

#include <benchmark/benchmark.h>

#include <vector>

// How long a plan takes: from documents on the host and from offsets on the device, 10,000 documents of 100 tokens.

namespace {

using Space = Kokkos::DefaultExecutionSpace;

constexpr std::int64_t documents = 10'000;
constexpr std::int64_t length = 100;

void plan_from_mask(benchmark::State& state) {
  const Space space;
  const auto mask = caesura::Mask::from_documents(
      caesura::Documents::from_lengths(std::vector<std::int64_t>(documents, length)), {.window = {state.range(0), 0}});
  for (auto _ : state) {
    const caesura::AttentionPlan plan(space, mask);
    space.fence();
    state.counters["bytes_per_token"] = static_cast<double>(plan.memory_bytes()) / (documents * length);
  }
}

void plan_from_offsets(benchmark::State& state) {
  const Space space;
  const Kokkos::View<std::int32_t*, Space> offsets("cu_seqlens", documents + 1);
  Kokkos::parallel_for(
      Kokkos::RangePolicy<Space>(space, 0, documents + 1),
      KOKKOS_LAMBDA(int i) { offsets(i) = i * static_cast<int>(length); });
  const caesura::PackedOffsets packed{.cu_seqlens_q = offsets, .total_q = documents * length};
  const caesura::DocumentMask rule{.window = {state.range(0), 0}};
  caesura::AttentionPlan plan(space, packed, rule);
  space.fence();
  for (auto _ : state) {
    plan.update(space, packed, rule);
    space.fence();
  }
}

void mask_from_documents(benchmark::State& state) {
  const auto packed = caesura::Documents::from_lengths(std::vector<std::int64_t>(documents, length));
  for (auto _ : state) benchmark::DoNotOptimize(caesura::Mask::from_documents(packed).slices().data());
}

BENCHMARK(plan_from_mask)->Arg(-1)->Arg(32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(plan_from_offsets)->Arg(-1)->Arg(32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(mask_from_documents)->Unit(benchmark::kMillisecond);

}  // namespace

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard guard(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
