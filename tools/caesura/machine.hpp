// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "report.hpp"
#include <caesura/comm/placement_advice.hpp>
#include <caesura/host_topology.hpp>

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace caesura::tools {

/// `mpi`, `nccl`, `hwloc`, and the library with its version that this build was made with; empty: it does without.
std::vector<std::pair<std::string, std::string>> communication_libraries();

nlohmann::ordered_json host_json(const HostTopology& machine);
nlohmann::ordered_json placement_json(const comm::PlacementAdvice& advice);

/// The machine for people.
void add_host_rows(Table& table, const HostTopology& machine);

}  // namespace caesura::tools
