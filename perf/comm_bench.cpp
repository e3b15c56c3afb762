// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "comm_bench_ways.hpp"

#include <Kokkos_Core.hpp>

#include <mpi.h>

#include <string_view>
#include <vector>

// comm_bench                in-process ranks against memcpy
// mpirun -n 4 comm_bench    our calls over MPI against MPI's own, for the same bytes
//
// Each case is one iteration in which all ways take turns many times: ranks stay in step, and Google Benchmark's own
// repetitions would measure one way after the other. Quote the ratios; perf/run comm does.

namespace {

class Silent : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

}  // namespace

int main(int argc, char** argv) {
  int level = 0, rank = 0, size = 1;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  {
    const Kokkos::ScopeGuard kokkos(Kokkos::InitializationSettings().set_disable_warnings(true).set_num_threads(1));
    std::vector<char*> arguments;  // one rank writes the file
    for (int i = 0; i < argc; ++i) {
      if (rank == 0 || !std::string_view(argv[i]).starts_with("--benchmark_out")) arguments.push_back(argv[i]);
    }
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (size == 1) {
      caesura::perf::register_in_process_cases();
    } else {
      caesura::perf::register_mpi_cases();
    }
    Silent silent;
    if (rank == 0) {
      benchmark::RunSpecifiedBenchmarks();
    } else {
      benchmark::RunSpecifiedBenchmarks(&silent);
    }
    benchmark::ClearRegisteredBenchmarks();  // they hold communicators
    benchmark::Shutdown();
  }
  MPI_Finalize();
}
