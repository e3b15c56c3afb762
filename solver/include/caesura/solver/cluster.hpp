// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace caesura::solver {

/// One rank's way out (and, at the same rate, in).
struct Link {
  double bytes_per_second = 45e9;
  double latency_seconds = 0;  ///< for each message
  friend bool operator==(const Link&, const Link&) = default;
};

/// Rows and keys of one step of a kernel. What a tile touches counts whole.
struct TileShape {
  std::int32_t rows = 128;
  std::int32_t keys = 128;
  friend bool operator==(const TileShape&, const TileShape&) = default;
};

/// How fast a rank computes, and what a row or a tile costs beside its pairs. `caesura info --calibrate` measures it.
struct ComputeRates {
  double forward_flops = 400e12;   ///< FLOP/s on visited pairs, 2 (dim_qk + dim_v) heads_q FLOPs each
  double backward_flops = 400e12;  ///< the same for the backward's 2.5-fold FLOPs
  TileShape tile = {};             ///< {1, 1}: exactly the visible pairs
  double pairs_per_row = 0;        ///< fixed cost of a query row, in pairs
  double pairs_per_tile = 0;       ///< fixed cost of a visited tile, in pairs
  double step_seconds = 10e-6;     ///< fixed cost of one more step: launches, and the merge of partial results
  friend bool operator==(const ComputeRates&, const ComputeRates&) = default;
};

/// The machine that a plan is for. Ranks `[n * ranks_per_node, (n + 1) * ranks_per_node)` share node n.
struct Cluster {
  std::int32_t ranks = 1;
  std::int32_t ranks_per_node = 1;
  Link within_node = {.bytes_per_second = 400e9};
  Link across_nodes = {.bytes_per_second = 45e9};
  ComputeRates compute = {};

  std::int32_t nodes() const { return ranks / ranks_per_node; }
  std::int32_t node_of(std::int32_t rank) const { return rank / ranks_per_node; }
  const Link& link(std::int32_t a, std::int32_t b) const {
    return node_of(a) == node_of(b) ? within_node : across_nodes;
  }

  /// \throws Error in the name of \p function: no ranks, nodes that do not divide them, rates that are not positive.
  void validate(const char* function) const;

  friend bool operator==(const Cluster&, const Cluster&) = default;
};

/// `{"ranks": 64, "ranks_per_node": 8, "within_node": {"bytes_per_second": .., "latency_seconds": ..},
///   "across_nodes": {..}, "compute": {"forward_flops": .., "backward_flops": .., "tile": [128, 128],
///   "pairs_per_row": .., "pairs_per_tile": .., "step_seconds": ..}}`; every key may be left out.
/// \throws Error that names the key, its value and the rule; \p source is what it calls the text.
Cluster cluster_from_json(std::string_view json, const std::string& source);
std::string to_json(const Cluster& cluster);

}  // namespace caesura::solver
