// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/group.hpp>
#include <caesura/comm/impl/instance.hpp>
#include <caesura/comm/request.hpp>
#include <caesura/comm/rows.hpp>
#include <caesura/comm/topology.hpp>

#include <cstdint>
#include <memory>

namespace caesura::comm {

/// `GroupCast` in two hops: a split enters each other node once, at one of the ranks there that it is for, which hands
/// it to the others of its node. For links between nodes that are slower than those inside.
///
///     plain:        A0 ===> B0      A0 ===> B1          the slow link carries every row twice
///     hierarchical: A0 ===> B0      B0 ---> B1          once
///
/// The entering rank keeps what it hands on, in the place where it belongs, so there is no other buffer for it. Entries
/// are dealt so that the rows of one source enter a node evenly. The second hop has a communicator of its own, of the
/// ranks of a node, so that its messages never meet those of operations started in between.
class HierarchicalCast {
 public:
  /// Collective, also in its use of `communicator.split`.
  /// \throws Error (invalid_argument) as `GroupCast`; if \p topology is of another number of ranks; if what a rank
  ///         sends here and what \p splits say of it differ
  HierarchicalCast(const Communicator& communicator, const Topology& topology, GroupSplits splits);

  /// As `GroupCast::start`; only one of the same object may be under way.
  template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
  Request start(const Space& space, const Send& send, const Receive& receive) {
    static_assert(std::is_same_v<typename Send::non_const_value_type, typename Receive::value_type>,
                  "HierarchicalCast: send and receive must have the same element type");
    return start_rows(space, send, receive);
  }

  const GroupSplits& splits() const;
  /// Rows that come to this rank from other nodes, and that it hands on.
  std::int64_t entering_rows() const;
  std::int64_t forwarded_rows() const;
  std::int64_t memory_bytes() const;
  Request start_rows(const impl::Instance& instance, const Rows& send, const Rows& receive);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace caesura::comm
