// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "machine.hpp"

#include "numbers.hpp"
#include <caesura/error.hpp>

// For their versions only: the program is not linked to them.
#ifdef CAESURA_HAS_MPI
#include <mpi.h>
#endif
#ifdef CAESURA_HAS_NCCL
#include <nccl.h>
#endif

namespace caesura::tools {

namespace {

std::string counted(int count, const char* what) { return text(count, " ", what, count == 1 ? "" : "s"); }

}  // namespace

std::vector<std::pair<std::string, std::string>> communication_libraries() {
  std::string mpi, nccl, hwloc = hwloc_version();
#if defined(OMPI_MAJOR_VERSION)
  mpi = text("Open MPI ", OMPI_MAJOR_VERSION, ".", OMPI_MINOR_VERSION, ".", OMPI_RELEASE_VERSION);
#elif defined(MPICH_VERSION)
  mpi = text("MPICH ", MPICH_VERSION);
#elif defined(MPI_VERSION)
  mpi = text("MPI ", MPI_VERSION, ".", MPI_SUBVERSION);
#endif
#ifdef NCCL_MAJOR
  nccl = text("NCCL ", NCCL_MAJOR, ".", NCCL_MINOR, ".", NCCL_PATCH);
#endif
  if (!hwloc.empty()) hwloc = "hwloc " + hwloc;
  return {{"mpi", mpi}, {"nccl", nccl}, {"hwloc", hwloc}};
}

nlohmann::ordered_json host_json(const HostTopology& machine) {
  nlohmann::ordered_json json = {{"host", machine.host},
                                 {"processor", machine.processor},
                                 {"source", machine.source},
                                 {"packages", machine.packages},
                                 {"numa_nodes", machine.numa_nodes},
                                 {"cores", machine.cores.size()},
                                 {"units", machine.units()},
                                 {"allowed_cores", machine.allowed_cores()},
                                 {"allowed_processors", machine.allowed_processors},
                                 {"memory_bytes", machine.memory_bytes},
                                 {"allowed_memory_bytes", machine.allowed_memory_bytes},
                                 {"caches", nlohmann::ordered_json::array()}};
  for (const HostCache& cache : machine.caches) {
    json["caches"].push_back(
        {{"level", cache.level}, {"bytes", cache.bytes}, {"line_bytes", cache.line_bytes}, {"shared_by", cache.cores}});
  }
  return json;
}

nlohmann::ordered_json placement_json(const comm::PlacementAdvice& advice) {
  nlohmann::ordered_json json = {{"threads", advice.threads}, {"ranks", nlohmann::ordered_json::array()}};
  for (const comm::RankCores& rank : advice.ranks)
    json["ranks"].push_back({{"units", rank.units}, {"package", rank.package}, {"numa_node", rank.numa_node}});
  json["environment"] = nlohmann::ordered_json::object();
  for (const auto& [variable, value] : advice.environment) json["environment"][variable] = value;
  json["open_mpi"] = advice.open_mpi;
  json["mpich"] = advice.mpich;
  json["notes"] = advice.notes;
  return json;
}

void add_host_rows(Table& table, const HostTopology& machine) {
  const std::string memory = machine.memory_bytes > 0 ? bytes_text(machine.memory_bytes) : "unknown";
  table.row({"processor", machine.processor.empty() ? "unknown" : machine.processor});
  table.row(
      {"machine", text(counted(machine.packages, "package"), ", ", counted(machine.numa_nodes, "NUMA node"), ", ",
                       counted(static_cast<int>(machine.cores.size()), "core"), ", ",
                       counted(machine.units(), "processing unit"), ", ", memory, " memory (", machine.source, ")")});
  std::string may = text(counted(machine.allowed_cores(), "core"));
  if (machine.allowed_processors < static_cast<double>(machine.allowed_units.size()))
    may += text(", ", machine.allowed_processors, " processors' time");
  if (machine.allowed_memory_bytes < machine.memory_bytes)
    may += text(", ", bytes_text(machine.allowed_memory_bytes), " memory");
  table.row({"may use", may});
  std::string caches;
  for (const HostCache& cache : machine.caches) {
    caches += text(caches.empty() ? "L" : ", L", cache.level, " ", bytes_text(cache.bytes));
    if (cache.cores > 1) caches += text(" (", cache.cores, " cores)");
  }
  table.row({"caches", caches.empty() ? "unknown" : caches});
}

}  // namespace caesura::tools
