// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>
#include <caesura/solver/strategy.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <tuple>
#include <vector>

namespace caesura::solver::impl {

/// Ranks along the axes of each sharding, multiplied.
struct Parts {
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  std::int64_t context = 1;
  std::int64_t replicas = 1;
  Link link = {.bytes_per_second = std::numeric_limits<double>::infinity()};  ///< the slowest of the context's axes
};

Parts parts_of(const std::vector<Sharding>& shardings, const Mesh& mesh);

/// Costs of assignments on one mask, remembered: many differ only in the order of the axes.
class StrategyCosts {
 public:
  /// Keeps references to both.
  StrategyCosts(const Mask& mask, const StrategyOptions& options) : mask_(mask), options_(options) {}

  /// \p parts divide what they must, and no slice leaves its part of the batch.
  StrategyCost operator()(const Parts& parts);

 private:
  const std::vector<Mask>& masks_of(std::int64_t parts);
  LayerShape layer(const Parts& parts) const;
  std::int64_t memory(const LayerShape& layer, std::int64_t queries, std::int64_t keys, std::int64_t received) const;
  /// One rank for all tokens, and several.
  StrategyCost alone(const Mask& own, const Parts& parts) const;
  StrategyCost shared(const Mask& own, const Parts& parts) const;

  const Mask& mask_;
  const StrategyOptions& options_;
  std::map<std::int64_t, std::vector<Mask>> masks_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t, double, double>, StrategyCost> known_;
};

}  // namespace caesura::solver::impl
