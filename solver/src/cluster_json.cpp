// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/cluster_json.hpp"

#include <caesura/error.hpp>

#include <nlohmann/json.hpp>

#include <cmath>
#include <limits>

namespace caesura::impl {

namespace {

constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();

/// Reads what is there; what is not keeps its default.
class Fields {
 public:
  explicit Fields(const JsonValue& object) : object_(object) {}

  Fields& count(const char* key, std::int32_t& target) {
    if (object_.has(key)) target = static_cast<std::int32_t>(object_[key].integer(1, most));
    return *this;
  }
  Fields& rate(const char* key, double& target) {
    if (read(key, target) && !(std::isfinite(target) && target > 0)) object_[key].fail("must be finite and positive");
    return *this;
  }
  Fields& cost(const char* key, double& target) {
    if (read(key, target) && !(std::isfinite(target) && target >= 0))
      object_[key].fail("must be finite and not negative");
    return *this;
  }

 private:
  bool read(const char* key, double& target) {
    if (!object_.has(key)) return false;
    target = object_[key].number();
    return true;
  }

  const JsonValue& object_;
};

void read_link(const JsonValue& value, solver::Link& link) {
  value.require_keys({"bytes_per_second", "latency_seconds"});
  Fields(value).rate("bytes_per_second", link.bytes_per_second).cost("latency_seconds", link.latency_seconds);
}

void read_compute(const JsonValue& value, solver::ComputeRates& rates) {
  value.require_keys({"forward_flops", "backward_flops", "tile", "pairs_per_row", "pairs_per_tile", "step_seconds"});
  Fields(value)
      .rate("forward_flops", rates.forward_flops)
      .rate("backward_flops", rates.backward_flops)
      .cost("pairs_per_row", rates.pairs_per_row)
      .cost("pairs_per_tile", rates.pairs_per_tile)
      .cost("step_seconds", rates.step_seconds);
  if (!value.has("tile")) return;
  const auto tile = value["tile"].array(2, "must be [rows, keys]");
  rates.tile.rows = static_cast<std::int32_t>(tile[0].integer(1, most));
  rates.tile.keys = static_cast<std::int32_t>(tile[1].integer(1, most));
}

nlohmann::ordered_json write_link(const solver::Link& link) {
  return {{"bytes_per_second", link.bytes_per_second}, {"latency_seconds", link.latency_seconds}};
}

}  // namespace

solver::Cluster read_cluster(const JsonValue& value) {
  value.require_keys({"ranks", "ranks_per_node", "within_node", "across_nodes", "compute"});
  solver::Cluster cluster;
  Fields(value).count("ranks", cluster.ranks).count("ranks_per_node", cluster.ranks_per_node);
  if (cluster.ranks % cluster.ranks_per_node != 0)
    value["ranks_per_node"].fail(text("must divide ranks = ", cluster.ranks));
  if (value.has("within_node")) read_link(value["within_node"], cluster.within_node);
  if (value.has("across_nodes")) read_link(value["across_nodes"], cluster.across_nodes);
  if (value.has("compute")) read_compute(value["compute"], cluster.compute);
  return cluster;
}

nlohmann::ordered_json write_cluster(const solver::Cluster& cluster) {
  const solver::ComputeRates& compute = cluster.compute;
  return {{"ranks", cluster.ranks},
          {"ranks_per_node", cluster.ranks_per_node},
          {"within_node", write_link(cluster.within_node)},
          {"across_nodes", write_link(cluster.across_nodes)},
          {"compute",
           {{"forward_flops", compute.forward_flops},
            {"backward_flops", compute.backward_flops},
            {"tile", {compute.tile.rows, compute.tile.keys}},
            {"pairs_per_row", compute.pairs_per_row},
            {"pairs_per_tile", compute.pairs_per_tile},
            {"step_seconds", compute.step_seconds}}}};
}

}  // namespace caesura::impl

namespace caesura::solver {

Cluster cluster_from_json(std::string_view json, const std::string& source) {
  return impl::read_cluster(impl::JsonValue::parse(json, source));
}

std::string to_json(const Cluster& cluster) { return impl::write_cluster(cluster).dump(2) + "\n"; }

}  // namespace caesura::solver
