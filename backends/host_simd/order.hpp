// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

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
inline std::int64_t rows_of_group(const AttentionShape& shape, int threads) {
  const std::int64_t large = 2 * group_rows, items = shape.total_q / large * shape.heads_kv;
  return items >= std::int64_t{8} * threads ? large : group_rows;
}

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
  /// Reads the query side's tiles. Memory is kept: a problem of the same size allocates nothing. The order of sums does not
  /// depend on \p rows_of_group, a multiple of `group_rows`.
  void build(const Lowered& rows, std::int64_t rows_of_group = group_rows);

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
