// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/all_to_all.hpp>
#include <caesura/comm/mpi.hpp>
#include <support/mpi_faults.hpp>

#include <Kokkos_Core.hpp>

#include <mpi.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <vector>

// mpi_faults CASE MILLISECONDS ROWS: exchanges rows in a loop until rank 1 fails in the way of CASE. Started and read by
// mpi_faults_test.py.
//
// CASE: die, stop (in the middle of an exchange), leave (rank 1 ends well, without a word), wrong_count,
// wrong_count_checked (it sends a row less than rank 2 expects).

namespace {

using namespace caesura::comm;
using Rows = Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace>;

constexpr int faulty = 1;
constexpr int good_rounds = 20;
constexpr std::int64_t row_elements = 64;

void exchange(const Kokkos::DefaultHostExecutionSpace& space, const Communicator& communicator, std::int64_t rows,
              std::string_view what, bool fails) {
  const int rank = communicator.rank(), size = communicator.size();
  std::vector<std::int64_t> send_rows(static_cast<std::size_t>(size), rows), receive_rows = send_rows;
  if (fails && what.starts_with("wrong_count")) --send_rows[2];
  std::int64_t sent = 0;
  for (const std::int64_t each : send_rows) sent += each;
  const Rows send("send", sent, row_elements), receive("receive", rows * size, row_elements);
  Kokkos::deep_copy(send, static_cast<float>(rank));
  Request request = all_to_all_v(space, communicator, send, send_rows, receive, receive_rows);
  if (fails && what == "die") std::raise(SIGKILL);
  if (fails && what == "stop") std::raise(SIGSTOP);
  if (fails && what == "leave") std::_Exit(0);
  request.wait();
  for (int from = 0; from < size; ++from) {
    for (std::int64_t row = 0; row < rows; ++row) {
      if (receive(from * rows + row, row % row_elements) != static_cast<float>(from)) {
        caesura::testing::print_of(rank, "WRONG DATA");
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGUSR1, SIG_IGN);  // MPICH's launcher tells survivors of a death with it, and it would end them
  int level = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);  // see mpi.hpp
  Kokkos::initialize(Kokkos::InitializationSettings().set_disable_warnings(true).set_num_threads(1));
  const std::string_view what = argc > 1 ? argv[1] : "";
  const std::chrono::milliseconds timeout(argc > 2 ? std::atoi(argv[2]) : 1000);
  // Small messages leave at once; of large ones a part is under way when the rank fails.
  const std::int64_t rows = argc > 3 ? std::atoi(argv[3]) : 10;
  const MpiCommunicator communicator(
      MPI_COMM_WORLD, {.timeout = timeout, .checks = what == "wrong_count_checked" ? Checks::on : Checks::off});
  const int rank = communicator.rank();
  const Kokkos::DefaultHostExecutionSpace space;
  caesura::testing::run_until_failure(rank, good_rounds + 3, [&](int round) {
    exchange(space, communicator, rows, what, rank == faulty && round == good_rounds);
  });
}
