// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::host_simd {

/// Queries and keys that see no others and are seen by no others: a document, or a few short ones.
struct Cluster {
  std::int64_t q_begin = 0, q_end = 0;
  std::int64_t k_begin = 0, k_end = 0;
};

/// A problem's clusters, if all are small: then each owns all its sums.
class Clusters {
 public:
  /// Cuts all queries and all keys into clusters of at most \p most_keys keys. Returns false where that cannot be: after
  /// a look at the first cluster that is too large. Memory is kept: a problem of the same size allocates nothing.
  bool build(const RowIntervals& rows, std::int64_t total_k, std::int64_t most_keys);

  std::span<const Cluster> all() const { return clusters_; }

 private:
  std::vector<Cluster> clusters_;
};

}  // namespace caesura::host_simd
