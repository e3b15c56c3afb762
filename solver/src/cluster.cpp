// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/cluster.hpp>

#include <cmath>

namespace caesura::solver {

void Cluster::validate(const char* function) const {
  const auto check = [&](bool ok, const char* name, const auto& value, const char* rule) {
    require(ok, [&] { return text(function, ": ", name, " = ", value, ": ", rule); });
  };
  const auto rate = [&](double value, const char* name) {
    check(std::isfinite(value) && value > 0, name, value, "must be finite and positive");
  };
  const auto cost = [&](double value, const char* name) {
    check(std::isfinite(value) && value >= 0, name, value, "must be finite and not negative");
  };
  check(ranks >= 1, "ranks", ranks, "must be at least 1");
  check(ranks_per_node >= 1, "ranks_per_node", ranks_per_node, "must be at least 1");
  require(ranks % ranks_per_node == 0,
          [&] { return text(function, ": ranks_per_node = ", ranks_per_node, ": must divide ranks = ", ranks); });
  rate(within_node.bytes_per_second, "within_node.bytes_per_second");
  cost(within_node.latency_seconds, "within_node.latency_seconds");
  rate(across_nodes.bytes_per_second, "across_nodes.bytes_per_second");
  cost(across_nodes.latency_seconds, "across_nodes.latency_seconds");
  rate(compute.forward_flops, "compute.forward_flops");
  rate(compute.backward_flops, "compute.backward_flops");
  check(compute.tile.rows >= 1, "compute.tile.rows", compute.tile.rows, "must be at least 1");
  check(compute.tile.keys >= 1, "compute.tile.keys", compute.tile.keys, "must be at least 1");
  cost(compute.pairs_per_row, "compute.pairs_per_row");
  cost(compute.pairs_per_tile, "compute.pairs_per_tile");
  cost(compute.step_seconds, "compute.step_seconds");
}

}  // namespace caesura::solver
