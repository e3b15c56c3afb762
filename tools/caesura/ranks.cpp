// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "ranks.hpp"

#include <caesura/comm/in_process.hpp>
#include <caesura/error.hpp>

#ifdef CAESURA_HAS_MPI
#include <caesura/comm/mpi.hpp>
#endif

#include <cstdlib>
#include <utility>

namespace caesura::tools {

namespace {

class Threads : public Ranks {
 public:
  int processes() const override { return 0; }
  bool speaks() const override { return true; }
  void run(int ranks, const std::function<void(const comm::Communicator&)>& body) override {
    comm::run_in_process(ranks, body);
  }
  void abandon(int) override {}
};

#ifdef CAESURA_HAS_MPI
class Processes : public Ranks {
 public:
  Processes() {
    int provided = MPI_THREAD_SINGLE;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  }
  ~Processes() override { MPI_Finalize(); }

  int processes() const override { return size_; }
  bool speaks() const override { return rank_ == 0; }
  void run(int ranks, const std::function<void(const comm::Communicator&)>& body) override {
    require(ranks == size_,
            [&] { return text("--ranks = ", ranks, ": must be the launcher's number of processes, ", size_); });
    body(comm::MpiCommunicator(MPI_COMM_WORLD));
  }
  void abandon(int status) override {
    if (size_ > 1) MPI_Abort(MPI_COMM_WORLD, status);
  }

 private:
  int size_ = 1, rank_ = 0;
};

/// Set by Open MPI, by MPICH's and Intel's launchers, and by Slurm's.
bool has_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"}) {
    if (std::getenv(name)) return true;
  }
  return false;
}
#endif

std::unique_ptr<Ranks>& current() {
  static std::unique_ptr<Ranks> ranks = std::make_unique<Threads>();
  return ranks;
}

}  // namespace

std::unique_ptr<Ranks> Ranks::find() {
#ifdef CAESURA_HAS_MPI
  if (has_launcher()) return std::make_unique<Processes>();
#endif
  return std::make_unique<Threads>();
}

Ranks& ranks() { return *current(); }
void set_ranks(std::unique_ptr<Ranks> ranks) { current() = std::move(ranks); }

}  // namespace caesura::tools
