// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/system_files.hpp"
#include "impl/topology_sources.hpp"

#include <algorithm>
#include <fstream>

namespace caesura::impl {

namespace {

/// The folders of this process' control group that has \p controller and of those above it, the own one first. In a
/// container the own path is often not there, only the root: then that is all.
std::vector<std::filesystem::path> group_folders(const SystemRoot& root, const std::string& controller) {
  const SystemRoot mounted = root / "sys/fs/cgroup";
  std::ifstream stream(root / "proc/self/cgroup");
  SystemRoot base, path;
  // Lines are `number:controllers:/path`; version 2 has one hierarchy, number 0, without names of controllers.
  for (std::string line; std::getline(stream, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = controllers == ",,";
    if (!unified && controllers.find("," + controller + ",") == std::string::npos) continue;
    if (unified && !base.empty()) continue;  // a hierarchy of the controller's own is where its limits are
    base = unified ? mounted : mounted / controller;
    path = std::filesystem::path(line.substr(second + 1)).relative_path();
  }
  std::vector<SystemRoot> folders;
  if (base.empty()) return folders;
  for (; !path.empty(); path = path.parent_path()) folders.push_back(base / path);
  folders.push_back(base);
  return folders;
}

template <class Value>
void keep_least(std::optional<Value>& least, std::optional<Value> value) {
  if (value && (!least || *value < *least)) least = value;
}

}  // namespace

std::optional<double> granted_processors(const SystemRoot& root) {
  std::optional<double> least;
  const auto grant = [&](std::optional<std::int64_t> quota, std::optional<std::int64_t> period) {
    if (quota && period && *quota > 0 && *period > 0)
      keep_least<double>(least, static_cast<double>(*quota) / static_cast<double>(*period));
  };
  for (const SystemRoot& folder : group_folders(root, "cpu")) {
    const std::string maximum = first_line(folder / "cpu.max");  // version 2: "200000 100000", or "max 100000"
    if (const std::size_t space = maximum.find(' '); space != std::string::npos)
      grant(number_of(maximum.substr(0, space)), number_of(maximum.substr(space + 1)));
    grant(number_of(first_line(folder / "cpu.cfs_quota_us")), number_of(first_line(folder / "cpu.cfs_period_us")));
  }
  return least;
}

std::optional<std::int64_t> granted_memory_bytes(const SystemRoot& root) {
  std::optional<std::int64_t> least;
  for (const SystemRoot& folder : group_folders(root, "memory")) {
    keep_least(least, number_of(first_line(folder / "memory.max")));
    keep_least(least, number_of(first_line(folder / "memory.limit_in_bytes")));
  }
  return least;
}

}  // namespace caesura::impl
