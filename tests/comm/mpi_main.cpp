// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// The main function of tests that run under mpirun, the same on every rank. Ranks go through the tests in step: a test
// that fails on any rank fails on rank 0, which alone prints the usual lines and writes the results; other ranks print
// their failures only. CAESURA_MPI_LEVEL says for which threads MPI is asked to be ready: funneled, if it says nothing.

#include <Kokkos_Core.hpp>

#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

int wanted_level() {
  const char* given = std::getenv("CAESURA_MPI_LEVEL");
  const std::string_view name = given ? given : "funneled";
  if (name == "single") return MPI_THREAD_SINGLE;
  if (name == "serialized") return MPI_THREAD_SERIALIZED;
  if (name == "multiple") return MPI_THREAD_MULTIPLE;
  return MPI_THREAD_FUNNELED;
}

class InStep : public testing::EmptyTestEventListener {
 public:
  explicit InStep(int rank) : rank_(rank) {}

  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (rank_ == 0 || !result.failed()) return;
    std::fprintf(stderr, "rank %d: %s:%d: %s\n", rank_, result.file_name() ? result.file_name() : "",
                 result.line_number(), result.message());
  }

  void OnTestEnd(const testing::TestInfo& test) override {
    const int own = test.result()->Failed();
    int any = 0;
    MPI_Allreduce(&own, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    if (rank_ == 0 && any && !own) ADD_FAILURE() << test.name() << " failed on another rank";
  }

 private:
  int rank_;
};

// Several runs of one program, with other numbers of ranks: each leaves its results under its own name.
void name_results(int rank) {
  std::string output = GTEST_FLAG_GET(output);
  const char* name = std::getenv("CAESURA_TEST_NAME");
  if (rank != 0) {
    output.clear();
  } else if (name && output.ends_with('/')) {
    output += std::string(name) + ".xml";
  }
  GTEST_FLAG_SET(output, output);
}

}  // namespace

int main(int argc, char** argv) {
  int level = 0;
  MPI_Init_thread(&argc, &argv, wanted_level(), &level);
  if (level != wanted_level()) {
    std::fprintf(stderr, "MPI_Init_thread: asked for level %d, got %d\n", wanted_level(), level);
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  name_results(rank);  // before GoogleTest opens them
  testing::InitGoogleTest(&argc, argv);
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (rank != 0) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new InStep(rank));
  int failed = 0;
  {
    const Kokkos::ScopeGuard kokkos(Kokkos::InitializationSettings().set_disable_warnings(true).set_num_threads(1));
    failed = RUN_ALL_TESTS();
  }
  int any = 0;
  MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  MPI_Finalize();
  return any;
}
