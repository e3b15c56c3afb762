// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/solver/plan.hpp>

#include <cstddef>
#include <memory>

namespace caesura::solver {

/// Plans by (mask, cluster, options), least recently used ones dropped: the layers of a model share one. Thread-safe; threads that
/// ask for the same new plan at once wait for one solve.
class PlanCache {
 public:
  /// \throws Error if \p capacity is 0.
  explicit PlanCache(std::size_t capacity = 64);
  ~PlanCache();
  PlanCache(const PlanCache&) = delete;
  PlanCache& operator=(const PlanCache&) = delete;

  /// The cached plan, or a new one. Masks are told apart by their 128-bit fingerprints.
  std::shared_ptr<const Plan> get(const Mask& mask, const Cluster& cluster, const Options& options = {});

  std::size_t size() const;
  std::size_t capacity() const;
  std::size_t hits() const;
  std::size_t misses() const;
  void clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace caesura::solver
