// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/solver/cluster.hpp>
#include <caesura/solver/exchange.hpp>
#include <caesura/solver/workload.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// Of one row, forward.
inline std::int64_t row_bytes(Payload payload, const LayerShape& layer) {
  switch (payload) {
    case Payload::keys: return layer.key_row_bytes();
    case Payload::queries: return layer.query_row_bytes();
    case Payload::outputs: return layer.output_row_bytes();
  }
  return 0;
}

/// How often a byte of the forward's passes over a link in \p passes: gradients come back in float.
inline double byte_repeats(const LayerShape& layer, const PassWeights& passes) {
  return transfer_seconds(1, layer, {.bytes_per_second = 1}, passes) / static_cast<double>(layer.key_row_bytes());
}

/// What passes a rank's ports. Index 0: from and to ranks of its node, 1: of other nodes.
struct PortLoad {
  std::array<std::int64_t, 2> in_bytes = {};
  std::array<std::int64_t, 2> out_bytes = {};
  std::array<std::int64_t, 2> in_messages = {};
  std::array<std::int64_t, 2> out_messages = {};

  /// Of the busiest port, if all run side by side: the bytes, then the latencies.
  double byte_seconds(const Cluster& cluster) const {
    const auto of = [&](std::size_t across, const Link& link) {
      return static_cast<double>(std::max(in_bytes[across], out_bytes[across])) / link.bytes_per_second;
    };
    return std::max(of(0, cluster.within_node), of(1, cluster.across_nodes));
  }
  double latency_seconds(const Cluster& cluster) const {
    const auto of = [&](std::size_t across, const Link& link) {
      return static_cast<double>(std::max(in_messages[across], out_messages[across])) * link.latency_seconds;
    };
    return std::max(of(0, cluster.within_node), of(1, cluster.across_nodes));
  }
};

/// The nodes of all ranks: asked for each transfer, a table is faster than dividing.
class Nodes {
 public:
  explicit Nodes(const Cluster& cluster) {
    node_.reserve(static_cast<std::size_t>(cluster.ranks));
    for (std::int32_t rank = 0; rank < cluster.ranks; ++rank) node_.push_back(cluster.node_of(rank));
  }
  bool across(std::int32_t a, std::int32_t b) const {
    return node_[static_cast<std::size_t>(a)] != node_[static_cast<std::size_t>(b)];
  }

 private:
  std::vector<std::int32_t> node_;
};

/// Adds \p hop to the loads of all ranks.
void add_traffic(std::span<const Transfer> hop, const Nodes& nodes, const LayerShape& layer,
                 std::vector<PortLoad>& loads);

}  // namespace caesura::solver::impl
