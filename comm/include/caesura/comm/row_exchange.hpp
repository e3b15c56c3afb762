// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/impl/instance.hpp>
#include <caesura/comm/request.hpp>
#include <caesura/comm/rows.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace caesura::comm {

/// Which rows of one View go to which rank, and which rows of another come from which: seen from one rank.
///
/// A rank may be named several times; its blocks travel in the order of the list, and the rows that a rank sends to
/// another fill the blocks that the other lists for it, one behind the other, however they are cut on either side. Rows
/// for the own rank are copied.
struct RowTransfers {
  std::vector<RowBlock> sends;
  std::vector<RowBlock> receives;
};

/// A prepared exchange of rows, to be used many times: lists, message buffers and persistent requests are kept, and
/// nothing is allocated after the first use with rows of one size. Blocks for one peer that lie apart are packed into
/// one message by a Kokkos kernel; a peer's blocks that lie together are sent from where they are.
class RowExchange {
 public:
  /// Collective.
  /// \throws Error (invalid_argument) if a block's peer is no rank or its rows are negative
  RowExchange(const Communicator& communicator, RowTransfers transfers);

  /// Starts the exchange. Only one of the same object may be under way.
  /// \param send     (rows, ...), any memory space
  /// \param receive  (rows, ...) of the same row size; rows that no block names stay as they are
  /// \throws Error (invalid_argument) if a block is outside its View or row sizes differ; (communication) if in
  ///         checked mode ranks do not agree
  template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
  Request start(const Space& space, const Send& send, const Receive& receive) {
    static_assert(std::is_same_v<typename Send::non_const_value_type, typename Receive::value_type>,
                  "RowExchange: send and receive must have the same element type");
    return start_rows(space, send, receive);
  }

  const RowTransfers& transfers() const;
  /// Bytes of the buffers and lists it keeps.
  std::int64_t memory_bytes() const;

  Request start_rows(const impl::Instance& instance, const Rows& send, const Rows& receive);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Sends and receives blocks of rows, once. See `RowTransfers`, and `RowExchange` for use many times.
template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
Request send_receive(const Space& space, const Communicator& communicator, const Send& send, const Receive& receive,
                     const RowTransfers& transfers) {
  return RowExchange(communicator, transfers).start(space, send, receive);
}

}  // namespace caesura::comm
