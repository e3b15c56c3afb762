// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Rows go round all ranks while each works on those that it has: mpirun -n 3 exchange

#include <caesura/comm/mpi.hpp>
#include <caesura/comm/ring.hpp>
#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <mpi.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace comm = caesura::comm;
using Space = Kokkos::DefaultExecutionSpace;
using Rows = Kokkos::View<double**, Kokkos::LayoutRight, Space::memory_space>;

double sum(const Space& space, const Rows& rows) {
  double result = 0;
  Kokkos::parallel_reduce(
      "sum", Kokkos::RangePolicy<Space>(space, 0, rows.extent(0)),
      KOKKOS_LAMBDA(const int row, double& partial) {
        for (std::size_t i = 0; i < rows.extent(1); ++i) partial += rows(row, i);
      },
      result);
  return result;
}

int run() {
  const comm::MpiCommunicator communicator(MPI_COMM_WORLD, {.timeout = std::chrono::seconds(60)});
  const int rank = communicator.rank(), size = communicator.size();
  const Space space;
  Rows here("here", 1000, 8), next("next", 1000, 8);
  Kokkos::deep_copy(space, here, rank + 1.0);

  double total = 0;
  for (int step = 0; step < size; ++step) {
    comm::Request request = comm::ring_shift(space, communicator, here, next);  // moves while we sum
    total += sum(space, here);
    request.wait();
    std::swap(here, next);
  }
  const double expected = 8000.0 * size * (size + 1) / 2;
  std::printf("rank %d of %d: %.0f, expected %.0f\n", rank, size, total, expected);
  return total == expected ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char** argv) {
  int level = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
  Kokkos::initialize(argc, argv);
  int status = EXIT_FAILURE;
  try {
    status = run();
  } catch (const caesura::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    MPI_Abort(MPI_COMM_WORLD, 3);  // ranks that failed never come to MPI_Finalize
  }
  Kokkos::finalize();
  MPI_Finalize();
  return status;
}
