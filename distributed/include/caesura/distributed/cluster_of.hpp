// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/solver/cluster.hpp>

namespace caesura {

/// The cluster that a communicator spans: its ranks, and how many share a node if all nodes have equally many and
/// neighbors in rank order share one; else every rank counts as a node. Rates and links are those of \p base.
/// Collective.
solver::Cluster cluster_of(const comm::Communicator& communicator, const solver::Cluster& base = {});

}  // namespace caesura
