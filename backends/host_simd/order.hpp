// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace caesura::host_simd {

/// Rows of a group, or a multiple of so many: a work item of the backward is a group of queries with a group of keys, of one key head.
inline constexpr std::int64_t group_rows = 256;

/// Larger groups are fetched less often, as long as there is work for all threads.
inline std::int64_t rows_of_group(const AttentionShape& shape, int threads) {
  const std::int64_t large = 2 * group_rows, items = shape.total_q / large * shape.heads_kv;
  return items >= std::int64_t{8} * threads ? large : group_rows;
}

struct GroupPair {
  std::int32_t queries = 0;
  std::int32_t keys = 0;
};

/// The pairs of groups that see each other, in levels. The pairs of a level share no group, so that each owns its sums:
/// no atomics, and every sum has one order, whatever the number of threads: a query's keys ascend, a key's queries
/// descend. With a causal mask the levels are diagonals, the longest one last.
class BackwardOrder {
 public:
  /// Reads the query side's tiles. Memory is kept: a problem of the same size allocates nothing. The order of sums does not
  /// depend on \p rows_of_group, a multiple of `group_rows`.
  void build(const Lowered& rows, std::int64_t rows_of_group = group_rows);

  std::size_t levels() const { return begins_.size() - 1; }
  /// The pairs of a level.
  std::span<const GroupPair> level(std::size_t i) const {
    return std::span(pairs_).subspan(begins_[i], begins_[i + 1] - begins_[i]);
  }

 private:
  struct Link {
    GroupPair pair;
    std::size_t level = 0;
  };

  std::vector<Link> links_;
  std::vector<std::size_t> next_of_queries_;  ///< the first level that is free, by group
  std::vector<GroupPair> pairs_;              ///< level by level
  std::vector<std::size_t> begins_ = {0};     ///< where each level begins, and the end
  std::vector<std::size_t> filled_;
};

}  // namespace caesura::host_simd
