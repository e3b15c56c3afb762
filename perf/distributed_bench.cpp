// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// What distributing costs and hides, on threads of this process: a step over a slow link beside its computation and its
// communication alone, and one rank through DistributedAttention beside the plain kernel. Times are medians of
// interleaved runs; JSON as Google Benchmark writes it goes to stdout or to --benchmark_out=FILE.

#include <caesura/comm/in_process.hpp>
#include <caesura/distributed/distributed.hpp>
#include <caesura/solver/solver.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace caesura;

using Space = Kokkos::Serial;
using Counters = std::vector<std::pair<std::string, double>>;

constexpr int repeats = 15;
constexpr std::int32_t heads_q = 4, heads_kv = 2, dim = 64;

struct Entry {
  std::string name;
  double seconds = 0;
  Counters counters;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Random inputs and outputs of one rank.
struct Tensors {
  using View = Kokkos::View<float***, Kokkos::LayoutRight, Kokkos::HostSpace>;
  View q, k, v, out;
  Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace> lse;

  explicit Tensors(std::int64_t rows_)
      : q("q", rows(rows_), heads_q, dim),
        k("k", rows(rows_), heads_kv, dim),
        v("v", rows(rows_), heads_kv, dim),
        out("out", rows(rows_), heads_q, dim),
        lse("lse", rows(rows_), heads_q) {
    std::uint32_t state = 1;
    for (const View& view : {q, k, v}) {
      for (std::size_t i = 0; i < view.size(); ++i) {
        state = state * 1664525U + 1013904223U;
        view.data()[i] = static_cast<float>(state >> 8) * 0x1p-23F - 1.0F;
      }
    }
  }
  static std::size_t rows(std::int64_t count) { return static_cast<std::size_t>(count); }
};

solver::Options options_of(std::int32_t stages) {
  return {.stages = stages,
          .layer = {.heads_q = heads_q, .heads_kv = heads_kv, .dim_qk = dim, .dim_v = dim, .scalar_bytes = 4},
          .passes = {.forward = 1, .backward = 0}};
}

/// What 2 ranks measured: medians over the slowest rank of each run.
struct Measured {
  double fast = 0;   ///< step over a link as fast as memory
  double slow = 0;   ///< the same over the slow link
  double bytes = 0;  ///< received by the rank that receives most
};

Measured measure(const solver::Plan& plan, const comm::SimulatedLink& link) {
  std::vector<std::vector<double>> fast(2), slow(2);
  std::vector<double> bytes(2);
  comm::InProcessOptions slow_options;
  slow_options.link = link;
  const auto fast_ranks = comm::InProcessCommunicator::create(2);
  const auto slow_ranks = comm::InProcessCommunicator::create(2, slow_options);
  comm::run_in_process(2, [&](const comm::Communicator& world) {
    const auto rank = static_cast<std::size_t>(world.rank());
    const Space space{Kokkos::NewInstance{}};
    const DistributedShape shape = {.heads_q = heads_q, .heads_kv = heads_kv, .dim = dim, .passes = Passes::forward};
    DistributedAttention<Space> on_fast(space, fast_ranks[rank], plan, shape),
        on_slow(space, slow_ranks[rank], plan, shape);
    const Tensors tensors(plan.placement().queries_of(world.rank()).size());
    const auto time = [&](DistributedAttention<Space>& attention) {
      comm::barrier(world).wait();
      const Kokkos::Timer timer;
      attention.forward(tensors.q, tensors.k, tensors.v, tensors.out, tensors.lse);
      space.fence();
      return timer.seconds();
    };
    time(on_fast), time(on_slow);
    for (int i = 0; i < repeats; ++i) {
      fast[rank].push_back(time(on_fast));
      slow[rank].push_back(time(on_slow));
    }
    bytes[rank] = static_cast<double>(on_slow.last_call().bytes_received);
  });
  for (std::size_t i = 0; i < repeats; ++i) {
    fast[0][i] = std::max(fast[0][i], fast[1][i]);
    slow[0][i] = std::max(slow[0][i], slow[1][i]);
  }
  return {median(fast[0]), median(slow[0]), std::max(bytes[0], bytes[1])};
}

std::size_t stages_of(const solver::Plan& plan) { return plan.exchange().stages().size(); }

void bench_overlap(std::vector<Entry>& entries, const char* name, const Mask& mask) {
  solver::Cluster cluster = {.ranks = 2};
  const Measured first = measure(solver::solve(mask, cluster, options_of(1)), {});
  // What the solver has to know: how fast this machine computes.
  cluster.compute.forward_flops = 4.0 * static_cast<double>(mask.area()) / 2 * dim * heads_q / first.fast;
  for (const double ratio : {0.5, 1.0, 2.0}) {
    const comm::SimulatedLink link = {.latency = 100e-6, .bytes_per_second = first.bytes / (ratio * first.fast)};
    cluster.across_nodes = {.bytes_per_second = link.bytes_per_second, .latency_seconds = link.latency};
    const solver::Plan plan = solver::solve(mask, cluster, options_of(0)),
                       whole = solver::solve(mask, cluster, options_of(1));
    const Measured overlapped = measure(plan, link), one_stage = measure(whole, link);
    const double stages = static_cast<double>(std::max<std::size_t>(stages_of(plan), 1));
    const double communication = overlapped.bytes / link.bytes_per_second + stages * link.latency;
    const double longer = std::max(overlapped.fast, communication);
    // Stages are not equally long: the mean one.
    const double bound = 1.1 * longer + longer / stages;
    entries.push_back(
        {std::string("overlap/") + name + "/communication_over_compute=" + std::to_string(ratio).substr(0, 3),
         overlapped.slow,
         {{"compute_seconds", overlapped.fast},
          {"communication_seconds", communication},
          {"sum_seconds", overlapped.fast + communication},
          {"one_stage_plan_seconds", one_stage.slow},
          {"stages", stages},
          {"over_longer", overlapped.slow / longer},
          {"over_bound", overlapped.slow / bound},
          {"over_sum", overlapped.slow / (overlapped.fast + communication)}}});
  }
}

/// One rank through the distributed path beside the plain call, a run each in turns.
void bench_overhead(std::vector<Entry>& entries, const char* name, const Mask& mask) {
  comm::run_in_process(1, [&](const comm::Communicator& communicator) {
    const Space space{Kokkos::NewInstance{}};
    DistributedAttention<Space> attention(
        space, communicator, solver::solve(mask, {.ranks = 1}, options_of(0)),
        {.heads_q = heads_q, .heads_kv = heads_kv, .dim = dim, .passes = Passes::forward});
    const AttentionPlan<Space> plan(space, mask, {.passes = Passes::forward});
    const Tensors t(mask.total_q());
    std::vector<double> plain, distributed;
    const auto time = [&](const auto& call) {
      const Kokkos::Timer timer;
      call();
      space.fence();
      return timer.seconds();
    };
    for (int i = 0; i < 3 * repeats; ++i) {
      plain.push_back(time([&] { attention_forward(space, plan, t.q, t.k, t.v, t.out, t.lse); }));
      distributed.push_back(time([&] { attention.forward(t.q, t.k, t.v, t.out, t.lse); }));
    }
    entries.push_back({std::string("overhead/") + name,
                       median(distributed),
                       {{"plain_seconds", median(plain)}, {"speed_over_plain", median(plain) / median(distributed)}}});
  });
}

std::string json_of(const std::vector<Entry>& entries) {
  std::string result = "{\n  \"context\": {\"library\": \"caesura\", \"repeats\": " + std::to_string(repeats) +
                       "},\n  \"benchmarks\": [\n";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto number = [](double value) {
      char buffer[32];
      std::snprintf(buffer, sizeof buffer, "%.6g", value);
      return std::string(buffer);
    };
    const std::string seconds = number(entries[i].seconds);
    result +=
        "    {\"name\": \"" + entries[i].name + "\", \"run_type\": \"aggregate\", \"aggregate_name\": \"median\", ";
    result += "\"real_time\": " + seconds + ", \"cpu_time\": " + seconds + ", \"time_unit\": \"s\"";
    for (const auto& [name, value] : entries[i].counters) result += ", \"" + name + "\": " + number(value);
    result += i + 1 < entries.size() ? "},\n" : "}\n";
  }
  return result + "  ]\n}\n";
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::string_view out = "--benchmark_out=";
  std::string file;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(out)) {
      file = argument.substr(out.size());
    } else if (!argument.starts_with("--benchmark_")) {
      std::cerr << "usage: distributed_bench [" << out << "FILE]\n";
      return 2;
    }
  }
  const Kokkos::ScopeGuard kokkos(Kokkos::InitializationSettings().set_disable_warnings(true).set_num_threads(1));
  std::vector<Entry> entries;
  const Mask causal = Mask::from_documents(Documents::from_lengths({4096})),
             documents = Mask::from_documents(Documents::from_lengths({1500, 100, 900, 30, 1566}));
  bench_overlap(entries, "causal_4096", causal);
  bench_overhead(entries, "causal_2048", Mask::from_documents(Documents::from_lengths({2048})));
  bench_overhead(entries, "documents_4096", documents);
  bench_overhead(entries, "causal_256", Mask::from_documents(Documents::from_lengths({256})));
  const std::string json = json_of(entries);
  if (file.empty()) {
    std::cout << json;
  } else {
    std::ofstream(file) << json;
  }
}
