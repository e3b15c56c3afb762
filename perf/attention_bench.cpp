// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/attention_cases.hpp"
#include "perf/machine_peak.hpp"
#include <caesura/caesura.hpp>

#include <Kokkos_Core.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// Forward and backward of every scalar with every kernel of the build, on the shapes that the project is judged by.
// Rates count 4 x visible pairs x dim x heads_q operations (backward 2.5 times that). Each call is followed by as long a
// run of what limits the machine, as many threads: `peak` is the mean rate of these runs, `of_peak` the ratio to it, so
// that what other programs take from one they take from the other, too. `of_undisturbed_peak` is the ratio to what the
// machine reaches for moments without them.
//
//     attention_bench --list      the cases as JSON, for who runs them elsewhere (perf/peers)
//     CAESURA_BENCH_DATA=FOLDER   packs from these files of document lengths; otherwise from data/

namespace {

using Space = Kokkos::DefaultExecutionSpace;
using caesura::perf::AttentionCase;

double undisturbed_peak_of(caesura::ScalarType type) {
  using caesura::ScalarType;
  using caesura::perf::measure_peak_gflops;
  static const double of_double = measure_peak_gflops(ScalarType::float64);
  static const double of_float = measure_peak_gflops(ScalarType::float32);
  // Some processors do dot products of bfloat16 slower than the same work as multiply-adds of float.
  static const double of_bfloat16 = std::max(of_float, caesura::perf::measure_dot_peak_gflops());
  if (type == ScalarType::float64) return of_double;
  return type == ScalarType::bfloat16 ? of_bfloat16 : of_float;
}

/// The mean over \p seconds from now on.
double peak_of(caesura::ScalarType type, double seconds) {
  using caesura::ScalarType;
  const bool by_dots = undisturbed_peak_of(type) > undisturbed_peak_of(ScalarType::float32);
  return type == ScalarType::bfloat16 && by_dots ? caesura::perf::measure_dot_peak_gflops(0, seconds)
                                                 : caesura::perf::measure_peak_gflops(type, 0, seconds);
}

template <class Scalar>
using Tensor = Kokkos::View<Scalar***, Kokkos::LayoutRight, Space>;

/// Everything a step needs, filled with uniform values in [-1, 1).
template <class Scalar>
struct Step {
  using Real = caesura::accumulator_t<Scalar>;

  Step(const AttentionCase& shape, std::string_view kernel)
      : variant(kernel),
        mask(caesura::Mask::from_documents(caesura::Documents::from_lengths(shape.lengths), shape.rule)),
        plan(space, mask),
        q(random("q", mask.total_q(), shape.heads_q, shape.dim)),
        k(random("k", mask.total_k(), shape.heads_kv, shape.dim)),
        v(random("v", mask.total_k(), shape.heads_kv, shape.dim)),
        dout(random("dout", mask.total_q(), shape.heads_q, shape.dim)),
        out("out", dout.extent(0), dout.extent(1), dout.extent(2)),
        dq("dq", q.extent(0), q.extent(1), q.extent(2)),
        dk("dk", k.extent(0), k.extent(1), k.extent(2)),
        dv("dv", v.extent(0), v.extent(1), v.extent(2)),
        lse("lse", q.extent(0), q.extent(1)),
        workspace("workspace", static_cast<std::size_t>(caesura::backward_workspace_bytes(
                                   mask.total_q(), shape.heads_q, caesura::scalar_type_v<Scalar>))),
        flops(4.0 * static_cast<double>(mask.area()) * shape.dim * shape.heads_q) {}

  void forward() const { caesura::attention_forward(space, plan, q, k, v, out, lse, {.variant = variant}); }
  void backward() const {
    caesura::attention_backward(space, plan, dout, q, k, v, out, lse, dq, dk, dv,
                                {.workspace = workspace, .variant = variant});
  }

  static Tensor<Scalar> random(const char* label, std::int64_t rows, int heads, int dim) {
    Tensor<Scalar> view(label, static_cast<std::size_t>(rows), static_cast<std::size_t>(heads),
                        static_cast<std::size_t>(dim));
    const auto host = Kokkos::create_mirror_view(view);
    std::mt19937 engine(7);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (std::size_t i = 0; i < host.size(); ++i) host.data()[i] = static_cast<Scalar>(uniform(engine));
    Kokkos::deep_copy(view, host);
    return view;
  }

  std::string variant;
  Space space;
  caesura::Mask mask;
  caesura::AttentionPlan<Space> plan;
  Tensor<Scalar> q, k, v, dout, out, dq, dk, dv;
  Kokkos::View<Real**, Kokkos::LayoutRight, Space> lse;
  Kokkos::View<std::byte*, Space> workspace;
  double flops;
};

enum class Pass { forward, backward };

template <class Scalar>
void attention(benchmark::State& state, const AttentionCase& shape, Pass pass, std::string_view variant) try {
  const Step<Scalar> step(shape, variant);
  step.forward();
  if (pass == Pass::backward) step.backward();
  step.space.fence();
  constexpr caesura::ScalarType type = caesura::scalar_type_v<Scalar>;
  double spent = 0, of_peak_runs = 0;  // seconds, GFLOP
  for (auto _ : state) {
    const Kokkos::Timer timer;
    pass == Pass::forward ? step.forward() : step.backward();
    step.space.fence();
    const double seconds = timer.seconds();
    state.SetIterationTime(seconds);
    spent += seconds;
    of_peak_runs += peak_of(type, seconds) * seconds;
  }
  const double gflop = 1e-9 * step.flops * (pass == Pass::forward ? 1 : 2.5) * static_cast<double>(state.iterations());
  state.counters["flops"] = 1e9 * gflop / spent;
  state.counters["peak"] = 1e9 * of_peak_runs / spent;
  state.counters["of_peak"] = gflop / of_peak_runs;
  state.counters["of_undisturbed_peak"] = gflop / spent / undisturbed_peak_of(type);
} catch (const caesura::Error& error) {  // the kernel refuses
  state.SkipWithError(error.what());
}

template <class Scalar>
void register_scalar(const AttentionCase& shape) {
  const std::string scalar(caesura::name_of(caesura::scalar_type_v<Scalar>));
  for (const Pass pass : {Pass::forward, Pass::backward}) {
    for (const caesura::Kernel<Space>& kernel : caesura::kernels<Space>()) {
      const std::string_view variant = kernel.name;
      const std::string name =
          caesura::text(pass == Pass::forward ? "forward/" : "backward/", shape.name, "/", scalar, "/", variant);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State& state) { attention<Scalar>(state, shape, pass, variant); })
          ->Unit(benchmark::kMillisecond)
          ->UseManualTime();
    }
  }
}

/// What runs these cases elsewhere needs to know, and what its figures are compared with.
std::string listed(const std::vector<AttentionCase>& cases) {
  std::string kernels, rows;
  for (const caesura::Kernel<Space>& kernel : caesura::kernels<Space>())
    kernels += caesura::text(kernels.empty() ? "" : ", ", '"', kernel.name, '"');
  for (const AttentionCase& shape : cases) {
    const caesura::Mask mask =
        caesura::Mask::from_documents(caesura::Documents::from_lengths(shape.lengths), shape.rule);
    std::string lengths;
    for (const std::int64_t length : shape.lengths) lengths += caesura::text(lengths.empty() ? "" : ", ", length);
    rows += caesura::text(rows.empty() ? "" : ",\n", "  {\"name\": \"", shape.name, "\", \"heads_q\": ", shape.heads_q,
                          ", \"heads_kv\": ", shape.heads_kv, ", \"dim\": ", shape.dim, ", \"area\": ", mask.area(),
                          ", \"lengths\": [", lengths, "]}");
  }
  return caesura::text("{\"variants\": [", kernels, "], \"cases\": [\n", rows, "\n]}\n");
}

/// The peaks and the threads go with the results.
void add_machine() {
  using caesura::ScalarType;
  const auto add = [](const char* key, double value) { benchmark::AddCustomContext(key, caesura::text(value)); };
  add("peak_double_gflops", undisturbed_peak_of(ScalarType::float64));
  add("peak_float_gflops", undisturbed_peak_of(ScalarType::float32));
  add("peak_dot_gflops", caesura::perf::measure_dot_peak_gflops());
  add("peak_tile_gflops", caesura::perf::measure_tile_peak_gflops());
  add("threads", Space().concurrency());
}

}  // namespace

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard guard(argc, argv);
  const char* folder = std::getenv("CAESURA_BENCH_DATA");
  const std::vector<AttentionCase> cases = caesura::perf::attention_cases(folder ? folder : CAESURA_DATA_DIR);
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    std::fputs(listed(cases).c_str(), stdout);
    return 0;
  }
  for (const AttentionCase& shape : cases) {
    register_scalar<float>(shape);
    if (!shape.every_scalar) continue;
    register_scalar<double>(shape);
    register_scalar<caesura::half>(shape);
    register_scalar<caesura::bfloat16>(shape);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  add_machine();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
