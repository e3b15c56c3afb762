// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/host_name.hpp"
#include "impl/system_files.hpp"
#include "impl/topology_sources.hpp"
#include <caesura/host_topology.hpp>

#include <algorithm>
#include <thread>
#include <tuple>

namespace caesura {

namespace {

/// The one number that all allowed cores have, or -1.
int common(const std::vector<HostCore>& cores, int HostCore::*member) {
  int result = -1;
  for (const HostCore& core : cores) {
    if (!core.allowed) continue;
    if (result >= 0 && result != core.*member) return -1;
    result = core.*member;
  }
  return result;
}

}  // namespace

namespace impl {

std::vector<int> affinity_units(const SystemRoot& root) {
  std::vector<int> units;
  std::error_code failure;
  std::filesystem::directory_iterator thread(root / "proc/self/task", failure);
  for (; !failure && thread != std::filesystem::directory_iterator(); thread.increment(failure)) {
    const std::vector<int> own = numbers_of(value_after(thread->path() / "status", "Cpus_allowed_list"));
    units.insert(units.end(), own.begin(), own.end());
  }
  std::sort(units.begin(), units.end());
  units.erase(std::unique(units.begin(), units.end()), units.end());
  return units;
}

void complete(HostTopology& topology, const SystemRoot& root) {
  topology.host = host_name();
  for (const char* key : {"model name", "Model", "cpu model"}) {  // x86, Arm, MIPS
    if (topology.processor.empty()) topology.processor = value_after(root / "proc/cpuinfo", key);
  }
  std::sort(topology.cores.begin(), topology.cores.end(), [](const HostCore& a, const HostCore& b) {
    return std::tie(a.package, a.numa_node, a.cache, a.units) < std::tie(b.package, b.numa_node, b.cache, b.units);
  });
  const std::vector<int> affinity = affinity_units(root);
  const auto in_affinity = [&](int unit) {
    return affinity.empty() || std::binary_search(affinity.begin(), affinity.end(), unit);
  };
  for (HostCore& core : topology.cores) {
    core.allowed = std::any_of(core.units.begin(), core.units.end(), in_affinity);
    std::copy_if(core.units.begin(), core.units.end(), std::back_inserter(topology.allowed_units), in_affinity);
  }
  std::sort(topology.allowed_units.begin(), topology.allowed_units.end());
  const auto units = static_cast<double>(topology.allowed_units.size());
  topology.allowed_processors = std::min(units, granted_processors(root).value_or(units));
  topology.allowed_memory_bytes = granted_memory_bytes(root).value_or(topology.memory_bytes);
  if (topology.memory_bytes > 0)
    topology.allowed_memory_bytes = std::min(topology.allowed_memory_bytes, topology.memory_bytes);
}

}  // namespace impl

int HostTopology::units() const {
  std::size_t count = 0;
  for (const HostCore& core : cores) count += core.units.size();
  return static_cast<int>(count);
}

int HostTopology::allowed_cores() const {
  return static_cast<int>(std::count_if(cores.begin(), cores.end(), [](const HostCore& core) { return core.allowed; }));
}

std::int64_t HostTopology::cache_bytes(int level) const {
  for (const HostCache& cache : caches) {
    if (cache.level == level) return cache.bytes;
  }
  return 0;
}

int HostTopology::own_package() const { return common(cores, &HostCore::package); }
int HostTopology::own_numa_node() const { return common(cores, &HostCore::numa_node); }
int HostTopology::own_cache() const { return common(cores, &HostCore::cache); }

HostTopology read_host_topology() {
  std::optional<HostTopology> found;
#ifdef CAESURA_HAS_HWLOC
  found = impl::hwloc_topology();
#endif
  if (!found) found = impl::sysfs_topology();
  if (!found) found = impl::flat_topology(static_cast<int>(std::thread::hardware_concurrency()));
  impl::complete(*found);
  return *std::move(found);
}

const HostTopology& host_topology() {
  static const HostTopology topology = read_host_topology();
  return topology;
}

#ifndef CAESURA_HAS_HWLOC
std::string hwloc_version() { return {}; }
#endif

}  // namespace caesura
