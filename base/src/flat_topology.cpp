// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/system_files.hpp"
#include "impl/topology_sources.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace caesura::impl {

namespace {

struct CacheFile {
  HostCache cache;
  std::vector<int> sharers;  // processing units
};

/// The data and unified caches of a unit, ascending levels.
std::vector<CacheFile> caches_of(const SystemRoot& unit) {
  std::vector<CacheFile> caches;
  std::error_code ignored;
  for (int i = 0;; ++i) {
    const SystemRoot folder = unit / "cache" / ("index" + std::to_string(i));
    if (!std::filesystem::is_directory(folder, ignored)) break;
    if (first_line(folder / "type") == "Instruction") continue;
    caches.push_back(
        {.cache = {.level = static_cast<int>(number_of(first_line(folder / "level")).value_or(1)),
                   .bytes = bytes_of(first_line(folder / "size")),
                   .line_bytes = static_cast<int>(number_of(first_line(folder / "coherency_line_size")).value_or(0)),
                   .cores = 1},
         .sharers = numbers_of(first_line(folder / "shared_cpu_list"))});
  }
  std::sort(caches.begin(), caches.end(),
            [](const CacheFile& a, const CacheFile& b) { return a.cache.level < b.cache.level; });
  return caches;
}

/// The NUMA node of each unit.
std::map<int, int> numa_nodes(const SystemRoot& system) {
  std::map<int, int> node_of;
  for (const int node : numbers_of(first_line(system / "node/online"))) {
    for (const int unit : numbers_of(first_line(system / "node" / ("node" + std::to_string(node)) / "cpulist")))
      node_of[unit] = node;
  }
  return node_of;
}

/// A number for each different key, in the order of first sight.
template <class Key>
int number(std::map<Key, int>& seen, const Key& key) {
  return seen.try_emplace(key, static_cast<int>(seen.size())).first->second;
}

}  // namespace

std::optional<HostTopology> sysfs_topology(const SystemRoot& root) {
  const SystemRoot system = root / "sys/devices/system";
  const std::vector<int> units = numbers_of(first_line(system / "cpu/online"));
  if (units.empty()) return std::nullopt;
  const auto folder = [&](int unit) { return system / "cpu" / ("cpu" + std::to_string(unit)); };
  const std::map<int, int> node_of = numa_nodes(system);

  HostTopology topology;
  topology.source = "sysfs";
  std::map<int, std::size_t> core_of;  // by unit
  std::map<std::int64_t, int> packages;
  std::map<int, int> nodes;
  std::map<int, int> caches;  // last-level ones, by the first unit that shares them
  for (const int unit : units) {
    if (core_of.count(unit)) continue;  // a hardware thread of a core that we have
    const SystemRoot description = folder(unit) / "topology";
    std::vector<int> siblings = numbers_of(first_line(description / "thread_siblings_list"));
    if (siblings.empty()) siblings = {unit};
    const std::vector<CacheFile> own = caches_of(folder(unit));
    const auto node = node_of.find(unit);
    const std::int64_t package = number_of(first_line(description / "physical_package_id")).value_or(0);
    for (const int sibling : siblings) core_of[sibling] = topology.cores.size();
    topology.cores.push_back(
        {.units = siblings,
         .package = number(packages, package),
         .numa_node = number(nodes, node == node_of.end() ? 0 : node->second),
         .cache = number(caches, own.empty() || own.back().sharers.empty() ? -1 : own.back().sharers.front())});
  }
  topology.packages = static_cast<int>(packages.size());
  topology.numa_nodes = static_cast<int>(nodes.size());

  const std::vector<int> allowed = affinity_units(root);
  const int first = allowed.empty() || !core_of.count(allowed.front()) ? units.front() : allowed.front();
  for (CacheFile& entry : caches_of(folder(first))) {
    std::map<std::size_t, int> sharers;
    for (const int unit : entry.sharers) {
      if (const auto core = core_of.find(unit); core != core_of.end()) number(sharers, core->second);
    }
    entry.cache.cores = std::max(1, static_cast<int>(sharers.size()));
    topology.caches.push_back(entry.cache);
  }
  const std::string memory = value_after(root / "proc/meminfo", "MemTotal");  // "24612012 kB"
  topology.memory_bytes = number_of(memory.substr(0, memory.find(' '))).value_or(0) * 1024;
  return topology;
}

HostTopology flat_topology(int units) {
  HostTopology topology;
  topology.source = "flat";
  for (int unit = 0; unit < std::max(units, 1); ++unit) topology.cores.push_back({.units = {unit}});
  return topology;
}

}  // namespace caesura::impl
