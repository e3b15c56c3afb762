// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/json_value.hpp"
#include <caesura/solver/cluster.hpp>

#include <nlohmann/json_fwd.hpp>

namespace caesura::impl {

/// The object of `cluster_from_json`, checked. What a key's absence leaves is the default.
solver::Cluster read_cluster(const JsonValue& value);
nlohmann::ordered_json write_cluster(const solver::Cluster& cluster);

}  // namespace caesura::impl
