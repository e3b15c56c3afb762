// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>
#include <support/masks.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

namespace caesura::testing {
namespace {

/// A problem with every option, many rows a key, and groups of heads: all that could be summed in another order.
Problem busy_problem(Mask mask) {
  Problem problem(std::move(mask), {6, 2, 40, 24}, 91);
  problem.add_sink(2, 92);
  problem.options.softcap = 5;
  problem.options.dropout = {0.1, 93, 94};
  return problem;
}

struct NamedProblem {
  std::string name;
  Problem problem;
};

std::vector<NamedProblem> busy_problems() {
  const Documents documents = Documents::from_lengths({300, 7, 0, 193});
  return {{"causal", busy_problem(Mask::from_documents(documents))},
          {"layers", busy_problem(Mask::from_documents(documents, {.window = {20, 0}, .prefix = 5}))},
          {"rectangles", busy_problem(random_rectangles(300, 330, 60, 95))},
          // Host backwards cut them in other ways for one thread than for more: in larger groups, or not at all.
          {"3 heads", Problem(Mask::from_documents(Documents::from_lengths({1600})), {6, 3, 8, 8}, 96)},
          {"6 heads", Problem(Mask::from_documents(Documents::from_lengths({1100})), {12, 6, 8, 8}, 97)}};
}

template <class Scalar, class ExecSpace>
std::vector<std::byte> run(const ExecSpace& space, const Problem& problem, const std::string& variant) {
  const AttentionPlan<ExecSpace> plan(space, problem.mask);
  DeviceCase<Scalar, Scalar, typename ExecSpace::memory_space> device(problem);
  device.options.variant = variant;
  device.forward(space, plan);
  device.backward(space, plan);
  space.fence();
  return device.bits();
}

template <class Scalar>
class Determinism : public ::testing::Test {};
using Scalars = ::testing::Types<double, float, half, bfloat16>;
TYPED_TEST_SUITE(Determinism, Scalars);

TYPED_TEST(Determinism, RunsGiveTheSameBits) {
  for (const NamedProblem& busy : busy_problems()) {
    for (const std::string& name : kernel_names(scalar_type_v<TypeParam>)) {
      SCOPED_TRACE(busy.name + ", " + name);
      const auto first = run<TypeParam>(Space(), busy.problem, name);
      for (int i = 0; i < 5; ++i) ASSERT_EQ(run<TypeParam>(Space(), busy.problem, name), first);
    }
  }
}

#ifdef KOKKOS_ENABLE_SERIAL
TYPED_TEST(Determinism, HostSpacesGiveTheSameBits) {
  using Parallel = Kokkos::DefaultHostExecutionSpace;
  for (const NamedProblem& busy : busy_problems()) {
    for (const std::string& name : kernel_names<Kokkos::Serial>(scalar_type_v<TypeParam>)) {
      SCOPED_TRACE(busy.name + ", " + name);
      EXPECT_EQ(run<TypeParam>(Kokkos::Serial(), busy.problem, name), run<TypeParam>(Parallel(), busy.problem, name));
    }
  }
}

TYPED_TEST(Determinism, InstancesOfASpaceGiveTheSameBits) {
  const Problem problem = busy_problems().front().problem;
  for (const std::string& name : kernel_names<Kokkos::Serial>(scalar_type_v<TypeParam>)) {
    EXPECT_EQ(run<TypeParam>(Kokkos::Serial(Kokkos::NewInstance{}), problem, name),
              run<TypeParam>(Kokkos::Serial(), problem, name));
  }
}
#endif

/// FNV-1a.
std::uint64_t hash_of(const std::vector<std::byte>& bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::byte b : bytes) hash = (hash ^ std::to_integer<std::uint64_t>(b)) * 0x100000001b3;
  return hash;
}

template <class Scalar>
void print_hashes() {
  for (const NamedProblem& busy : busy_problems()) {
    for (const std::string& name : kernel_names(scalar_type_v<Scalar>)) {
      const std::uint64_t hash = hash_of(run<Scalar>(Space(), busy.problem, name));
      std::cout << "hash " << name << ' ' << busy.name << ' ' << name_of(scalar_type_v<Scalar>) << ' ' << hash << '\n';
    }
  }
}

/// Not a test by itself: what the next one starts this program for.
TEST(DISABLED_Helper, PrintHashes) {
  std::cout << "threads " << Space().concurrency() << '\n';
  print_hashes<double>();
  print_hashes<float>();
  print_hashes<half>();
  print_hashes<bfloat16>();
}

struct ThreadedRun {
  int concurrency = 0;
  std::vector<std::string> hashes;
};

ThreadedRun run_with_threads(int threads) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = text("OMP_NUM_THREADS=", threads, " KOKKOS_NUM_THREADS=", threads, " '", program,
                                   "' --gtest_also_run_disabled_tests --gtest_filter=DISABLED_Helper.PrintHashes");
  ThreadedRun result;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 256> line;
  while (std::fgets(line.data(), static_cast<int>(line.size()), pipe)) {
    const std::string_view view(line.data());
    if (view.starts_with("hash ")) result.hashes.emplace_back(view);
    if (view.starts_with("threads ")) result.concurrency = std::atoi(line.data() + 8);
  }
  EXPECT_EQ(pclose(pipe), 0);
  return result;
}

TEST(DeterminismOfThreads, AnyNumberGivesTheSameBits) {
  const ThreadedRun one = run_with_threads(1);
  std::size_t kernels_of_types = 0;
  for (const ScalarType type : {ScalarType::float64, ScalarType::float32, ScalarType::float16, ScalarType::bfloat16}) {
    kernels_of_types += kernel_names(type).size();
  }
  EXPECT_EQ(one.hashes.size(), busy_problems().size() * kernels_of_types);
  for (const int threads : {2, 3}) {
    const ThreadedRun more = run_with_threads(threads);
    EXPECT_EQ(more.hashes, one.hashes) << threads << " threads";
#ifdef KOKKOS_ENABLE_OPENMP
    if constexpr (std::is_same_v<Space, Kokkos::OpenMP>) {
      EXPECT_EQ(one.concurrency, 1);
      EXPECT_EQ(more.concurrency, threads);
    }
#endif
  }
}

}  // namespace
}  // namespace caesura::testing
