// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/machine_peak.hpp"
#include <caesura/caesura.hpp>

#include <Kokkos_Core.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <fstream>
#include <random>
#include <string>
#include <vector>

// Forward and backward of every scalar on the shapes that the project is judged by. Rates count
// 4 x visible pairs x dim x heads_q operations (backward 2.5 times that); `peak` is the measured FMA peak of the
// accumulator type with as many threads, `of_peak` the ratio.

namespace {

using Space = Kokkos::DefaultExecutionSpace;

struct Case {
  std::string name;
  std::vector<std::int64_t> lengths;
  caesura::DocumentMask rule;
  int heads_q;
  int heads_kv;
  int dim;
  bool every_scalar = true;  ///< false: float alone
};

/// The first \p tokens tokens of a file of document lengths, the last document cut.
std::vector<std::int64_t> read_pack(const std::string& name, std::int64_t tokens) {
  std::ifstream file(std::string(CAESURA_DATA_DIR) + "/" + name + ".txt");
  std::vector<std::int64_t> lengths;
  for (std::string line; tokens > 0 && std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    lengths.push_back(std::min<std::int64_t>(std::stoll(line), tokens));
    tokens -= lengths.back();
  }
  if (tokens > 0) throw std::runtime_error("attention_bench: " + name + ": has too few tokens");
  return lengths;
}

std::vector<Case> cases() {
  const auto causal = [](std::string name, std::vector<std::int64_t> lengths, int heads_q, int heads_kv, int dim) {
    return Case{std::move(name), std::move(lengths), {}, heads_q, heads_kv, dim};
  };
  std::vector<std::int64_t> skewed;  // 16 documents of 7 to 4096 tokens, in geometric steps
  for (double length = 7; skewed.size() < 15; length *= 1.53) skewed.push_back(static_cast<std::int64_t>(length));
  skewed.push_back(4096);
  return {
      causal("causal_4096_dim64", {4096}, 8, 8, 64),
      causal("causal_4096_dim128", {4096}, 8, 8, 128),
      causal("gqa32_8_causal_2048_dim128", {2048}, 32, 8, 128),
      causal("skewed_7_to_4096_dim64", skewed, 8, 8, 64),
      causal("mixed_pretraining_16k_dim128", read_pack("mixed_pretraining", 16384), 8, 2, 128),
      causal("short_messages_16k_dim128", read_pack("short_messages", 16384), 8, 2, 128),
      // The same number of tokens and about the same tiles, as many documents and as one.
      {"documents_8192x34_dim64", std::vector<std::int64_t>(8192, 34), {}, 8, 8, 64, false},
      {"window64_278528_dim64", {8192 * 34}, {.window = {64, 0}}, 8, 8, 64, false},
  };
}

template <class Scalar>
using Tensor = Kokkos::View<Scalar***, Kokkos::LayoutRight, Space>;

/// Everything a step needs, filled with uniform values in [-1, 1).
template <class Scalar>
struct Step {
  using Real = caesura::accumulator_t<Scalar>;

  explicit Step(const Case& shape)
      : mask(caesura::Mask::from_documents(caesura::Documents::from_lengths(shape.lengths), shape.rule)),
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

  void forward() const { caesura::attention_forward(space, plan, q, k, v, out, lse); }
  void backward() const {
    caesura::attention_backward(space, plan, dout, q, k, v, out, lse, dq, dk, dv, {.workspace = workspace});
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

  Space space;
  caesura::Mask mask;
  caesura::AttentionPlan<Space> plan;
  Tensor<Scalar> q, k, v, dout, out, dq, dk, dv;
  Kokkos::View<Real**, Kokkos::LayoutRight, Space> lse;
  Kokkos::View<std::byte*, Space> workspace;
  double flops;
};

double peak_of(caesura::ScalarType type) {
  static const double peaks[] = {caesura::perf::measure_peak_gflops(caesura::ScalarType::float64),
                                 caesura::perf::measure_peak_gflops(caesura::ScalarType::float32)};
  return peaks[caesura::accumulator_of(type) == caesura::ScalarType::float64 ? 0 : 1];
}

enum class Pass { forward, backward };

template <class Scalar>
void attention(benchmark::State& state, const Case& shape, Pass pass) {
  const Step<Scalar> step(shape);
  step.forward();
  step.space.fence();
  for (auto _ : state) {
    pass == Pass::forward ? step.forward() : step.backward();
    step.space.fence();
  }
  const double flops = step.flops * (pass == Pass::forward ? 1 : 2.5) * static_cast<double>(state.iterations());
  const double peak = peak_of(caesura::scalar_type_v<Scalar>) * 1e9;
  state.counters["flops"] = benchmark::Counter(flops, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(flops / peak, benchmark::Counter::kIsRate);
  state.counters["peak"] = peak;
}

template <class Scalar>
void register_scalar(const Case& shape) {
  const std::string scalar(caesura::name_of(caesura::scalar_type_v<Scalar>));
  for (const Pass pass : {Pass::forward, Pass::backward}) {
    const std::string name = (pass == Pass::forward ? "forward/" : "backward/") + shape.name + "/" + scalar;
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { attention<Scalar>(state, shape, pass); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard guard(argc, argv);
  for (const Case& shape : cases()) {
    register_scalar<float>(shape);
    if (!shape.every_scalar) continue;
    register_scalar<double>(shape);
    register_scalar<caesura::half>(shape);
    register_scalar<caesura::bfloat16>(shape);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
