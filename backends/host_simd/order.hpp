// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/clusters.hpp"
#include <caesura/problem.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

namespace caesura::host_simd {

/// Rows of a group, or a multiple of so many: a work item of the backward is a group of queries with a group of keys, of one key head.
inline constexpr std::int64_t group_rows = 256;

/// Larger groups are fetched less often, as long as there is work for all threads.
inline std::int64_t rows_of_group(std::int64_t rows, int heads_kv, int threads) {
  const std::int64_t large = 2 * group_rows, items = rows / large * heads_kv;
  return items >= std::int64_t{8} * threads ? large : group_rows;
}

/// Rows of one side that are packed together.
struct RowRange {
  std::int64_t begin = 0, end = 0;

  int count() const { return static_cast<int>(end - begin); }
  /// Cut into pieces of \p size rows, the last one of fewer; further ones are empty.
  std::int64_t pieces(std::int64_t size) const { return (end - begin + size - 1) / size; }
  RowRange piece(std::int64_t i, std::int64_t size) const {
    const std::int64_t first = std::min(begin + i * size, end);
    return {first, std::min(first + size, end)};
  }
};

/// What a slice of queries sees in a layer, as in `Slice`.
struct SliceRange {
  TileRange hull = {INT32_MAX, 0};
  TileRange core = {0, INT32_MAX};
};

/// Of a slice of \p lanes lanes; those without a row see nothing.
inline SliceRange range_of(const RowIntervals& intervals, std::int32_t layer, RowRange rows, int lanes) {
  SliceRange result;
  if (rows.count() < lanes) result.core = {};
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const TileRange own{intervals.first[layer * intervals.rows + row], intervals.last[layer * intervals.rows + row]};
    if (own.begin < own.end) result.hull = {std::min(result.hull.begin, own.begin), std::max(result.hull.end, own.end)};
    result.core = {std::max(result.core.begin, own.begin), std::min(result.core.end, own.end)};
  }
  return result;
}

/// The ranges of slice \p item, all slices of a layer after another, of as many slices for each block.
struct FindSliceRanges {
  RowIntervals intervals;
  std::span<const RowRange> blocks;
  int lanes;
  std::int64_t slices_of_block;
  SliceRange* ranges;  ///< (layers, slices)

  /// Of a layer.
  std::int64_t slices() const { return static_cast<std::int64_t>(blocks.size()) * slices_of_block; }
  std::int64_t items() const { return intervals.layers * slices(); }
  void operator()(std::int64_t item) const {
    const std::int64_t slice = item % slices();
    const RowRange block = blocks[static_cast<std::size_t>(slice / slices_of_block)];
    const auto layer = static_cast<std::int32_t>(item / slices());
    ranges[item] = range_of(intervals, layer, block.piece(slice % slices_of_block, lanes), lanes);
  }
};

/// Rows of one side, cut into blocks, and these into groups.
struct GroupedRows {
  struct Group {
    std::int64_t begin = 0, end = 0;  ///< blocks
  };
  std::vector<RowRange> blocks;
  std::vector<Group> groups;

  void clear() {
    blocks.clear();
    groups.clear();
  }
  /// Rows that begin a block and a group.
  void add(RowRange rows, std::int64_t of_block, std::int64_t of_group);
};

/// Blocks of queries of one of the query heads that read a key head.
struct QueryPart {
  int head;
  std::int64_t begin, end;
};

/// Cuts a group's blocks of queries, and \p heads heads, into what sums of keys take one after another. With several heads,
/// they take turns after \p most blocks, `group_rows` rows, in groups of any size, or bits would depend on that. A head's
/// part and the keys stay in the second cache; those of all heads would not.
template <class Body>
void for_each_part(std::int64_t begin, std::int64_t end, std::int64_t most, int heads, const Body& body) {
  if (heads == 1) most = end - begin;
  while (begin < end) {
    const std::int64_t part = begin + (end - begin - 1) / most * most;
    for (int head = 0; head < heads; ++head) body(QueryPart{head, part, end});
    end = part;
  }
}

struct GroupPair {
  std::int32_t queries = 0;
  std::int32_t keys = 0;
  std::int32_t queries_before = 0;  ///< pairs of the same queries that come before it
  std::int32_t keys_before = 0;     ///< of the same keys
};

/// The pairs of groups that see each other, in levels. The pairs of a level share no group, so that each owns its sums:
/// no atomics, and every sum has one order, whatever the number of threads: a query's keys ascend, a key's queries
/// descend. With a causal mask the levels are diagonals, the longest one last.
class BackwardOrder {
 public:
  /// Cuts the rows of \p clusters. Memory is kept: a problem of the same size allocates nothing. The order of sums does not
  /// depend on \p of_group, a multiple of `group_rows`.
  void cut(std::span<const Cluster> clusters, std::int64_t of_block, std::int64_t of_group);
  const GroupedRows& queries() const { return queries_; }
  const GroupedRows& keys() const { return keys_; }

  /// What is to be found out first: the ranges of slices of \p lanes queries, so many in each block.
  FindSliceRanges slices(const RowIntervals& intervals, int lanes, std::int64_t slices_of_block);
  /// Finds the pairs from that.
  void link(const FindSliceRanges& found);

  /// All pairs, level by level.
  std::span<const GroupPair> pairs() const { return pairs_; }
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

  /// The groups of a cluster.
  struct Cut {
    std::size_t q_begin, q_end, k_begin, k_end;
    std::int64_t first_key;
  };

  GroupedRows queries_, keys_;
  std::vector<SliceRange> ranges_;
  std::vector<Cut> cuts_;
  std::int64_t rows_of_group_ = group_rows;
  std::vector<std::size_t> seen_by_;  ///< by group of keys: the last group of queries that sees it, and 1
  std::vector<Link> links_;
  struct Next {
    std::size_t level = 0;   ///< the first that is free
    std::int32_t pairs = 0;  ///< so far
  };
  std::vector<Next> next_of_queries_;      ///< by group
  std::vector<GroupPair> pairs_;           ///< level by level
  std::vector<std::size_t> begins_ = {0};  ///< where each level begins, and the end
  std::vector<std::size_t> filled_;
};

/// Lets each pair run as soon as those before it are done, of the same queries and of the same keys: threads that take pairs
/// in order never wait for each other at the end of a level. Counters of what is done, by group and head.
struct PairGates {
  std::int32_t* queries = nullptr;
  std::int32_t* keys = nullptr;
  std::int64_t heads = 0;

  static std::int64_t counters(std::int64_t q_groups, std::int64_t k_groups, std::int64_t heads) {
    return (q_groups + k_groups) * heads;
  }
  /// \p memory holds so many counters.
  PairGates(std::int32_t* memory, std::int64_t q_groups, std::int64_t k_groups, std::int64_t all_heads)
      : queries(memory), keys(memory + q_groups * all_heads), heads(all_heads) {
    std::fill_n(memory, counters(q_groups, k_groups, heads), 0);
  }

  void enter(const GroupPair& pair, std::int64_t head) const {
    wait(queries[pair.queries * heads + head], pair.queries_before);
    wait(keys[pair.keys * heads + head], pair.keys_before);
  }
  void leave(const GroupPair& pair, std::int64_t head) const {
    std::atomic_ref(queries[pair.queries * heads + head]).store(pair.queries_before + 1, std::memory_order_release);
    std::atomic_ref(keys[pair.keys * heads + head]).store(pair.keys_before + 1, std::memory_order_release);
  }

 private:
  static void wait(std::int32_t& done, std::int32_t before) {
    const std::atomic_ref counter(done);
    for (int spins = 0; counter.load(std::memory_order_acquire) < before; ++spins) {
      if (spins > 100) std::this_thread::yield();
    }
  }
};

}  // namespace caesura::host_simd
