// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/topology.hpp>
#include <caesura/distributed/cluster_of.hpp>

namespace caesura {

solver::Cluster cluster_of(const comm::Communicator& communicator, const solver::Cluster& base) {
  const comm::Topology topology(communicator);
  solver::Cluster cluster = base;
  cluster.ranks = communicator.size();
  cluster.ranks_per_node = topology.regular() ? topology.ranks_per_node() : 1;
  return cluster;
}

}  // namespace caesura
