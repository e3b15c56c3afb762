// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/host_topology.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

// Who can say what the machine looks like. `root` is where /sys and /proc are: "/", or a tree that a test made.

namespace caesura::impl {

using SystemRoot = std::filesystem::path;

/// A core with the cache it belongs to, before cores are numbered over the machine.
/// From hwloc; nothing if the build has none or it fails.
std::optional<HostTopology> hwloc_topology();

/// From /sys/devices/system; nothing if it names no processing unit.
std::optional<HostTopology> sysfs_topology(const SystemRoot& root = "/");

/// \p units cores with one processing unit each, on one package; caches unknown.
HostTopology flat_topology(int units);

/// The processing units that some thread of this process may run on; empty: unknown. Of all threads, because an OpenMP
/// runtime binds the calling thread to one core and the others to the others.
std::vector<int> affinity_units(const SystemRoot& root = "/");

/// What control groups, the own one and those above it, leave to this process; nothing: no limit.
std::optional<double> granted_processors(const SystemRoot& root = "/");
std::optional<std::int64_t> granted_memory_bytes(const SystemRoot& root = "/");

/// Orders the cores by what they share and marks the allowed ones; takes the unit counts from there.
void complete(HostTopology& topology, const SystemRoot& root = "/");

}  // namespace caesura::impl
