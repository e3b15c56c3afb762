// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/mpi.hpp>
#include <support/distributed_case.hpp>
#include <support/mpi_faults.hpp>

#include <mpi.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string_view>

// mpi_faults PASS MILLISECONDS EXCHANGE LEVEL: forward or backward steps of several stages, until rank 1 is killed in the
// middle of one: behind its first stage, when it begins to compute with what has arrived. Started and read by
// mpi_faults_test.py. LEVEL is what MPI is asked for: funneled, or serialized, where a thread of its own transfers.

namespace caesura::testing {
namespace {

constexpr int faulty = 1;
constexpr int good_rounds = 3;
constexpr HeadShape heads = {4, 2, 16, 16};

std::atomic<bool> armed{false}, stage_is_over{false};
std::string_view deadly_kernel;  // how its label begins

void note_fence(const char* name, std::uint32_t, std::uint64_t*) {
  if (armed && std::string_view(name) == "caesura::distributed::stage") stage_is_over = true;
}

void die_in_kernel(const char* name, std::uint32_t, std::uint64_t*) {
  if (!armed || !stage_is_over || !std::string_view(name).starts_with(deadly_kernel)) return;
  print_of(faulty, "dies in " + std::string(name));
  std::raise(SIGKILL);
}

solver::ExchangeKind exchange_of(std::string_view name) {
  for (const solver::ExchangeKind exchange : solver::all_exchanges()) {
    if (solver::name_of(exchange) == name) return exchange;
  }
  throw Error(ErrorKind::invalid_argument, text("EXCHANGE = ", name, ": must be the name of an exchange"));
}

[[noreturn]] void run(std::string_view pass, std::chrono::milliseconds timeout, std::string_view exchange) {
  const comm::MpiCommunicator communicator(MPI_COMM_WORLD, {.timeout = timeout});
  const int rank = communicator.rank();
  const Problem problem(Mask::from_documents(Documents::from_lengths({1024}), {.kind = MaskKind::full}), heads, 5);
  const solver::Plan plan =
      solver::solve(problem.mask, {.ranks = communicator.size(), .ranks_per_node = 2},
                    {.exchange = exchange_of(exchange),
                     .stages = 3,
                     .layer = {.heads_q = 4, .heads_kv = 2, .dim_qk = heads.dim_qk, .dim_v = heads.dim_v}});
  if (plan.exchange().stages().size() < 2) print_of(rank, "TOO FEW STAGES");
  const RankSpace space = make_rank_space();
  DistributedAttention<RankSpace> attention(space, communicator, plan,
                                            {.heads_q = 4, .heads_kv = 2, .dim = 16, .type = ScalarType::float32});
  const DeviceCase<float, float, RankSpace::memory_space> own(share_of(problem, plan.placement(), rank));
  const auto forward = [&] { attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(), own.options); };
  const auto backward = [&] {
    attention.backward(own.dout, own.q, own.k, own.v, own.out, own.lse.matrix(), own.dq, own.dk, own.dv, own.options);
  };
  deadly_kernel = pass == "backward" ? "caesura::backward::" : "caesura::forward::";
  if (rank == faulty) {
    Kokkos::Tools::Experimental::set_begin_fence_callback(note_fence);
    Kokkos::Tools::Experimental::set_begin_parallel_for_callback(die_in_kernel);
  }
  run_until_failure(rank, good_rounds + 1, [&](int round) {
    const bool last = round == good_rounds;
    if (last && pass == "forward") armed = true;
    forward();
    if (last && pass == "backward") armed = true;
    backward();
  });
}

}  // namespace
}  // namespace caesura::testing

int main(int argc, char** argv) {
  std::signal(SIGUSR1, SIG_IGN);  // MPICH's launcher tells survivors of a death with it, and it would end them
  if (argc < 5) return 2;
  const std::string_view level = argv[4];
  int provided = 0;
  MPI_Init_thread(&argc, &argv, level == "serialized" ? MPI_THREAD_SERIALIZED : MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);  // see mpi.hpp
  Kokkos::initialize(Kokkos::InitializationSettings().set_disable_warnings(true).set_num_threads(1));
  caesura::testing::run(argv[1], std::chrono::milliseconds(std::atoi(argv[2])), argv[3]);
}
