// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "strategy/cost.hpp"

#include <caesura/solver/dispatch.hpp>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace caesura::solver::impl {

namespace {

constexpr std::int64_t lse_bytes = 4, gradient_bytes = 4;

/// The mask of each part of a batch, equal ones once. A slice never leaves its part.
std::vector<Mask> masks_of_parts(const Mask& mask, std::int64_t parts) {
  const std::int64_t rows_q = mask.total_q() / parts, rows_k = mask.total_k() / parts;
  std::vector<Mask> result;
  std::set<std::pair<std::uint64_t, std::uint64_t>> known;
  std::vector<BandSlice> slices;
  for (std::size_t i = 0; i < mask.slices().size();) {
    const std::int64_t part = mask.slices()[i].q_begin / rows_q;
    slices.clear();
    for (; i < mask.slices().size() && mask.slices()[i].q_begin / rows_q == part; ++i)
      slices.push_back(mask.slices()[i].shifted(-part * rows_q, -part * rows_k));
    Mask own = Mask::from_slices(rows_q, rows_k, slices);
    if (known.emplace(own.fingerprint().low, own.fingerprint().high).second) result.push_back(std::move(own));
  }
  return result;
}

}  // namespace

Parts parts_of(const std::vector<Sharding>& shardings, const Mesh& mesh) {
  Parts parts;
  for (std::size_t i = 0; i < shardings.size(); ++i) {
    const MeshAxis& axis = mesh.axes[i];
    switch (shardings[i]) {
      case Sharding::batch: parts.batch *= axis.size; break;
      case Sharding::heads: parts.heads *= axis.size; break;
      case Sharding::replicate: parts.replicas *= axis.size; break;
      case Sharding::context:
        parts.context *= axis.size;
        parts.link.bytes_per_second = std::min(parts.link.bytes_per_second, axis.link.bytes_per_second);
        parts.link.latency_seconds = std::max(parts.link.latency_seconds, axis.link.latency_seconds);
    }
  }
  return parts;
}

StrategyCost StrategyCosts::operator()(const Parts& parts) {
  const auto key =
      std::tuple(parts.batch, parts.heads, parts.context, parts.link.bytes_per_second, parts.link.latency_seconds);
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  StrategyCost most;
  for (const Mask& own : masks_of(parts.batch)) {
    const StrategyCost cost = parts.context == 1 ? alone(own, parts) : shared(own, parts);
    most.bytes = std::max(most.bytes, cost.bytes);
    most.seconds = std::max(most.seconds, cost.seconds);
    most.memory = std::max(most.memory, cost.memory);
  }
  return known_[key] = most;
}

const std::vector<Mask>& StrategyCosts::masks_of(std::int64_t parts) {
  const auto known = masks_.find(parts);
  return known != masks_.end() ? known->second : masks_[parts] = masks_of_parts(mask_, parts);
}

LayerShape StrategyCosts::layer(const Parts& parts) const {
  LayerShape result = options_.plan.layer;
  result.heads_q = static_cast<std::int32_t>(result.heads_q / parts.heads);
  result.heads_kv = static_cast<std::int32_t>(result.heads_kv / parts.heads);
  return result;
}

std::int64_t StrategyCosts::memory(const LayerShape& shape, std::int64_t queries, std::int64_t keys,
                                   std::int64_t received) const {
  const std::int64_t own =
      queries * (shape.query_row_bytes() + shape.output_row_bytes()) + keys * shape.key_row_bytes();
  const std::int64_t forward = own + received * shape.key_row_bytes();
  if (options_.plan.passes.backward == 0) return forward;
  // Gradients of everything but lse in the scalar type, those of received rows in float until they are sent home.
  const std::int64_t gradients = own - queries * shape.heads_q * lse_bytes;
  return forward + gradients + received * shape.key_row_bytes() / shape.scalar_bytes * gradient_bytes;
}

StrategyCost StrategyCosts::alone(const Mask& own, const Parts& parts) const {
  const LayerShape shape = layer(parts);
  return {
      .bytes = 0,
      .seconds = compute_seconds(work(own.slices(), options_.compute), shape, options_.compute, options_.plan.passes),
      .memory = memory(shape, own.total_q(), own.total_k(), 0)};
}

StrategyCost StrategyCosts::shared(const Mask& own, const Parts& parts) const {
  Options options = options_.plan;
  options.layer = layer(parts);
  const Cluster cluster = {.ranks = static_cast<std::int32_t>(parts.context),
                           .ranks_per_node = 1,
                           .within_node = parts.link,
                           .across_nodes = parts.link,
                           .compute = options_.compute};
  const Placement placement = dispatch(own, cluster, options);
  const PlacementCost cost = cost_of(own, placement, cluster, options);
  std::vector<std::int64_t> keys(cost.tokens.size(), 0);
  for (const OwnedRange& piece : placement.keys()) keys[static_cast<std::size_t>(piece.rank)] += piece.rows.size();
  std::int64_t rows = 0, bytes = 0;
  for (std::size_t rank = 0; rank < cost.tokens.size(); ++rank) {
    rows = std::max({rows, cost.receive_rows[rank], cost.send_rows[rank]});
    bytes = std::max(bytes, memory(options.layer, cost.tokens[rank], keys[rank], cost.receive_rows[rank]));
  }
  // At one byte a second, seconds are bytes.
  const double moved = transfer_seconds(rows, options.layer, {.bytes_per_second = 1}, options.passes);
  return {.bytes = std::llround(moved), .seconds = cost.step_seconds, .memory = bytes};
}

}  // namespace caesura::solver::impl
