// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/topology_sources.hpp"

#include <hwloc.h>

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>

namespace caesura {

namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Handle = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, Destroy>;

Handle load() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  Handle handle(raw);
  // The whole machine, also what this process may not use: numbers must be those of the other ranks of the node.
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
  if (hwloc_topology_load(raw) != 0) return nullptr;
  return handle;
}

std::vector<int> numbers(hwloc_const_bitmap_t set) {
  std::vector<int> result;
  for (int number = hwloc_bitmap_first(set); number >= 0; number = hwloc_bitmap_next(set, number))
    result.push_back(number);
  return result;
}

/// The logical number of the object of \p type above or at \p core; 0 if there is none.
int above(hwloc_topology_t topology, hwloc_obj_t core, hwloc_obj_type_t type) {
  const hwloc_obj_t object = hwloc_get_ancestor_obj_by_type(topology, type, core);
  return object ? static_cast<int>(object->logical_index) : 0;
}

/// hwloc hangs memory beside the cores, not above them: the node whose processing units contain the core's.
int numa_node(hwloc_topology_t topology, hwloc_obj_t core) {
  hwloc_obj_t node = nullptr;
  while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node))) {
    if (hwloc_bitmap_intersects(node->cpuset, core->cpuset)) return static_cast<int>(node->logical_index);
  }
  return 0;
}

bool is_data_cache(hwloc_obj_t object) {
  return hwloc_obj_type_is_dcache(object->type) && object->attr->cache.type != HWLOC_OBJ_CACHE_INSTRUCTION;
}

/// The caches above a core, from the nearest.
std::vector<hwloc_obj_t> caches_above(hwloc_obj_t core) {
  std::vector<hwloc_obj_t> result;
  for (hwloc_obj_t object = core->parent; object; object = object->parent) {
    if (is_data_cache(object)) result.push_back(object);
  }
  return result;
}

}  // namespace

std::optional<HostTopology> impl::hwloc_topology() {
  const Handle handle = load();
  if (!handle) return std::nullopt;
  hwloc_topology_t raw = handle.get();
  // Where hwloc sees no cores it still sees processing units.
  const int core_depth = hwloc_get_type_or_below_depth(raw, HWLOC_OBJ_CORE);
  const auto objects = hwloc_get_nbobjs_by_depth(raw, core_depth);
  if (objects == 0) return std::nullopt;

  HostTopology topology;
  topology.source = "hwloc " + hwloc_version();
  topology.packages = std::max(1, hwloc_get_nbobjs_by_type(raw, HWLOC_OBJ_PACKAGE));
  topology.numa_nodes = std::max(1, hwloc_get_nbobjs_by_type(raw, HWLOC_OBJ_NUMANODE));
  topology.memory_bytes = static_cast<std::int64_t>(hwloc_get_root_obj(raw)->total_memory);
  const std::vector<int> affinity = affinity_units();
  hwloc_obj_t first = nullptr;  // that this process may use
  for (unsigned i = 0; i < objects; ++i) {
    const hwloc_obj_t core = hwloc_get_obj_by_depth(raw, core_depth, i);
    const std::vector<hwloc_obj_t> caches = caches_above(core);
    topology.cores.push_back({.units = numbers(core->cpuset),
                              .package = above(raw, core, HWLOC_OBJ_PACKAGE),
                              .numa_node = numa_node(raw, core),
                              .cache = caches.empty() ? 0 : static_cast<int>(caches.back()->logical_index)});
    const bool allowed =
        !affinity.empty() && hwloc_bitmap_isset(core->cpuset, static_cast<unsigned>(affinity.front())) != 0;
    if (!first || allowed) first = core;
  }
  for (const hwloc_obj_t cache : caches_above(first)) {
    topology.caches.push_back(
        {.level = static_cast<int>(cache->attr->cache.depth),
         .bytes = static_cast<std::int64_t>(cache->attr->cache.size),
         .line_bytes = static_cast<int>(cache->attr->cache.linesize),
         .cores = static_cast<int>(hwloc_get_nbobjs_inside_cpuset_by_depth(raw, cache->cpuset, core_depth))});
  }
  return topology;
}

// Of the hwloc that was compiled with: the running one only tells its interface's.
std::string hwloc_version() { return CAESURA_HAS_HWLOC; }

}  // namespace caesura
