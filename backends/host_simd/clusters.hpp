// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::host_simd {

/// How the backward takes a cluster.
enum class Way {
  groups,      ///< of rows, by all threads
  one_thread,  ///< packed, a head at a time
  in_place
};

/// Queries and keys that see no others and are seen by no others: a document, or a few short ones.
struct Cluster {
  std::int64_t q_begin = 0, q_end = 0;
  std::int64_t k_begin = 0, k_end = 0;
  std::int64_t pairs = 0;  ///< that see each other
  Way way = Way::groups;

  std::int64_t rows() const { return q_end - q_begin; }
  std::int64_t keys() const { return k_end - k_begin; }
};

/// Queries of all \p clusters.
inline std::int64_t rows_of(std::span<const Cluster> clusters) {
  std::int64_t rows = 0;
  for (const Cluster& cluster : clusters) rows += cluster.rows();
  return rows;
}

/// A problem's clusters: each owns all its sums.
class Clusters {
 public:
  /// Cuts all queries and all keys. Memory is kept: a problem of the same size allocates nothing.
  void build(const RowIntervals& rows, std::int64_t total_k);

  /// Sets the way of each to \p way_of(cluster): one way after the other, those in place as they lie in memory, others with
  /// most work first.
  template <class WayOf>
  void arrange(const WayOf& way_of) {
    for (Cluster& cluster : clusters_) cluster.way = way_of(cluster);
    sort();
  }

  std::span<const Cluster> all() const { return clusters_; }
  std::span<const Cluster> of(Way way) const;
  /// That see each other.
  std::int64_t pairs() const { return pairs_; }

 private:
  void close(const Cluster& cluster);
  void sort();

  std::vector<Cluster> clusters_;
  std::int64_t pairs_ = 0;
};

}  // namespace caesura::host_simd
