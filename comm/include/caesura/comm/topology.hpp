// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>

#include <string>
#include <vector>

namespace caesura::comm {

/// Where a rank runs. Package, NUMA node and cache are numbers inside the node; -1: the rank's cores are on several.
struct RankPlace {
  int node = 0;  ///< a machine; ranks that can reach each other through memory
  int package = -1;
  int numa_node = -1;
  int cache = -1;  ///< last-level cache

  friend bool operator==(const RankPlace&, const RankPlace&) = default;
};

/// Where the ranks of a communicator run and what they share. The same on every rank.
///
/// Nodes are numbered in the order of their first ranks, so rank 0 is on node 0 and leads it.
class Topology {
 public:
  /// Collective. Two ranks are on one node if their transport says that they share a machine: ranks of one process
  /// always; otherwise those of one host name, running kernel and network namespace.
  explicit Topology(const Communicator& communicator);
  /// Of ranks that exist in theory only. Nodes may have any numbers; here they get those said above.
  /// \throws Error (invalid_argument) if there is no rank
  explicit Topology(std::vector<RankPlace> places);

  int ranks() const { return static_cast<int>(places_.size()); }
  int nodes() const { return static_cast<int>(ranks_of_node_.size()); }
  /// \throws Error (invalid_argument), as all of these, if \p rank or \p node does not exist
  const RankPlace& place(int rank) const;
  int node(int rank) const { return place(rank).node; }
  /// Ascending.
  const std::vector<int>& ranks_of_node(int node) const;
  /// The number of a rank among those of its node.
  int local_rank(int rank) const;
  /// The first rank of a node.
  int leader(int node) const { return ranks_of_node(node).front(); }
  /// Empty for a topology of no communicator.
  const std::string& host(int node) const;

  /// The most ranks that a node has.
  int ranks_per_node() const;
  /// Whether every node has as many ranks, and they stand together: node = rank / ranks_per_node.
  bool regular() const;

  bool share_node(int a, int b) const { return node(a) == node(b); }
  /// Whether both are known to be on one package, or on one last-level cache.
  bool share_package(int a, int b) const;
  bool share_cache(int a, int b) const;

  /// All ranks in an order in which a ring (each sends to the next, the last to the first) leaves nodes as few times
  /// as possible, then packages, then caches. Begins with rank 0.
  std::vector<int> ring_order() const;

 private:
  std::vector<RankPlace> places_;
  std::vector<std::vector<int>> ranks_of_node_;
  std::vector<std::string> hosts_;  // by node
};

}  // namespace caesura::comm
