// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/host_topology.hpp>

#include <string>
#include <utility>
#include <vector>

namespace caesura::comm {

/// Where one rank of a machine should run.
struct RankCores {
  std::vector<int> units;  ///< one processing unit of each of its cores, by the operating system's numbers
  int package = -1;        ///< -1: several
  int numa_node = -1;
};

/// How ranks and their threads should be put on a machine, and what makes a launcher do it.
struct PlacementAdvice {
  int threads = 1;                                               ///< of each rank
  std::vector<RankCores> ranks;                                  ///< by local rank
  std::vector<std::pair<std::string, std::string>> environment;  ///< of every rank: variable, value
  std::string open_mpi;                                          ///< options of Open MPI's mpirun
  std::string mpich;                                             ///< options of MPICH's mpiexec
  std::vector<std::string> notes;  ///< what is not as it should be, such as more ranks than cores

  /// All of it for a person, a line each.
  std::string text() const;
};

/// Whole cores for each rank, equally many, none for two; ranks do not straddle NUMA nodes where that can be avoided,
/// so that what a rank's threads touch first is near all of them. Only what this process may use is given out.
/// \param ranks  on this machine; 0: one for each NUMA node
/// \throws Error (invalid_argument) if \p ranks is negative
PlacementAdvice placement_advice(const HostTopology& machine, int ranks = 0);

}  // namespace caesura::comm
