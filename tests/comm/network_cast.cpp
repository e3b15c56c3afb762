// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// A program for network_test.py: every rank has rows that all ranks need, and casts them plainly and in two hops. The
// leader of each node prints how many bytes went out through INTERFACE meanwhile.
//
//     network_cast INTERFACE ROWS BYTES_OF_A_ROW

#include <caesura/comm/group.hpp>
#include <caesura/comm/hierarchical_cast.hpp>
#include <caesura/comm/mpi.hpp>
#include <caesura/comm/topology.hpp>

#include <Kokkos_Core.hpp>

#include <mpi.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <numeric>
#include <string>

namespace {

using namespace caesura::comm;
using Host = Kokkos::DefaultHostExecutionSpace;
using Bytes = Kokkos::View<unsigned char**, Kokkos::LayoutRight, Kokkos::HostSpace>;

std::int64_t bytes_sent(const std::string& interface) {
  std::int64_t bytes = -1;
  std::ifstream("/sys/class/net/" + interface + "/statistics/tx_bytes") >> bytes;
  return bytes;
}

unsigned char value(int rank, std::size_t row, std::size_t byte) {
  return static_cast<unsigned char>(17 * static_cast<std::size_t>(rank) + 5 * row + byte);
}

class Experiment {
 public:
  Experiment(const Communicator& communicator, const Topology& topology, std::string interface, std::size_t rows,
             std::size_t row_bytes)
      : communicator_(communicator),
        topology_(topology),
        interface_(std::move(interface)),
        rows_(rows),
        send_("send", rows, row_bytes),
        receive_("receive", rows * static_cast<std::size_t>(communicator.size()), row_bytes) {
    std::vector<int> everybody(static_cast<std::size_t>(communicator.size()));
    std::iota(everybody.begin(), everybody.end(), 0);
    splits_ = {.input_rows = {static_cast<std::int64_t>(rows)},
               .destinations = {everybody},
               .output_rows = std::vector<std::int64_t>(everybody.size(), static_cast<std::int64_t>(rows)),
               .sources = everybody};
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t byte = 0; byte < row_bytes; ++byte) send_(row, byte) = value(communicator.rank(), row, byte);
    }
  }

  const GroupSplits& splits() const { return splits_; }

  template <class Cast>
  bool run(const char* name, Cast& cast) {
    // Once for connections and buffers; the second run's bytes are rows.
    std::int64_t before = 0;
    std::chrono::steady_clock::time_point begin;
    for (int round = 0; round < 2; ++round) {
      Kokkos::deep_copy(receive_, 0);
      barrier(communicator_).wait();
      before = bytes_sent(interface_);
      barrier(communicator_).wait();  // nobody sends before both leaders have looked
      begin = std::chrono::steady_clock::now();
      cast.start(Host(), send_, receive_).wait();
      barrier(communicator_).wait();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const int node = topology_.node(communicator_.rank());
    if (topology_.leader(node) == communicator_.rank()) {
      std::printf("%s: node %d sent %lld bytes in %.3f s\n", name, node,
                  static_cast<long long>(bytes_sent(interface_) - before), seconds.count());
      std::fflush(stdout);
    }
    return correct();
  }

 private:
  bool correct() const {
    for (std::size_t row = 0; row < receive_.extent(0); ++row) {
      for (std::size_t byte = 0; byte < receive_.extent(1); ++byte) {
        if (receive_(row, byte) != value(static_cast<int>(row / rows_), row % rows_, byte)) return false;
      }
    }
    return true;
  }

  Communicator communicator_;
  Topology topology_;
  std::string interface_;
  std::size_t rows_;
  Bytes send_, receive_;
  GroupSplits splits_;
};

bool run(int argc, char** argv) {
  if (argc != 4) return false;
  const MpiCommunicator communicator(MPI_COMM_WORLD, {.timeout = std::chrono::seconds(30), .checks = Checks::off});
  const Topology topology(communicator);
  if (communicator.rank() == 0) {
    std::printf("nodes: %d, regular: %s\n", topology.nodes(), topology.regular() ? "yes" : "no");
    std::fflush(stdout);
  }
  Experiment experiment(communicator, topology, argv[1], std::strtoul(argv[2], nullptr, 10),
                        std::strtoul(argv[3], nullptr, 10));
  GroupCast plain(communicator, experiment.splits());
  HierarchicalCast hierarchical(communicator, topology, experiment.splits());
  return experiment.run("plain", plain) && experiment.run("hierarchical", hierarchical);
}

}  // namespace

int main(int argc, char** argv) {
  int level = 0, rank = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &level);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  bool good = false;
  try {
    const Kokkos::ScopeGuard kokkos(Kokkos::InitializationSettings().set_disable_warnings(true).set_num_threads(1));
    good = run(argc, argv);
    if (!good) std::fprintf(stderr, "rank %d: wrong rows\n", rank);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", rank, error.what());
  }
  if (!good) MPI_Abort(MPI_COMM_WORLD, 1);
  MPI_Finalize();
  return 0;
}
