// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace caesura {

/// The data or unified caches of one level, taken from the first core that this process may use.
struct HostCache {
  int level = 1;
  std::int64_t bytes = 0;
  int line_bytes = 0;  ///< 0: unknown
  int cores = 1;       ///< that share one
};

/// A core and what it belongs to. Numbers count from 0 over the machine.
struct HostCore {
  std::vector<int> units;  ///< its processing units (hardware threads), by the operating system's numbers
  int package = 0;         ///< socket
  int numa_node = 0;
  int cache = 0;        ///< the last-level cache
  bool allowed = true;  ///< whether this process may run on one of its units
};

/// What the machine under this process looks like, and how much of it the process may use.
///
/// Cores are ordered so that those which share most stand together: by package, NUMA node, last-level cache.
struct HostTopology {
  std::string source;     ///< who said so: `hwloc 2.9.0`, `sysfs`, or `flat`: no more than the number of units is known
  std::string host;       ///< host name
  std::string processor;  ///< the model's name; empty: unknown
  int packages = 1;
  int numa_nodes = 1;
  std::vector<HostCore> cores;
  std::vector<HostCache> caches;  ///< ascending levels; empty: unknown
  std::int64_t memory_bytes = 0;  ///< 0: unknown

  std::vector<int> allowed_units;         ///< those the affinity masks of this process' threads name, ascending
  double allowed_processors = 0;          ///< units worth of time that its control groups grant; never above the units
  std::int64_t allowed_memory_bytes = 0;  ///< what its control groups grant, at most `memory_bytes`

  int units() const;
  int allowed_cores() const;
  /// Bytes of a core's data cache of \p level; 0 if there is none or it is not known.
  std::int64_t cache_bytes(int level) const;
  /// The one package, NUMA node or last-level cache that all allowed cores belong to; -1 if there are several.
  int own_package() const;
  int own_numa_node() const;
  int own_cache() const;
};

/// Of this process, read at the first call and kept. Never fails: what cannot be read stays at its default.
const HostTopology& host_topology();

/// The same, read again: after the process' affinity has changed.
HostTopology read_host_topology();

/// Equal for two processes if and only if they are on one machine and see the same host name and network: the name
/// of the host, of its running kernel and of the network namespace.
std::string host_identity();

/// The version of hwloc that this build was compiled with; empty: it does without.
std::string hwloc_version();

}  // namespace caesura
