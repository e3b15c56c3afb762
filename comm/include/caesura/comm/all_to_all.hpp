// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/impl/instance.hpp>
#include <caesura/comm/request.hpp>
#include <caesura/comm/rows.hpp>

#include <cstdint>
#include <span>

namespace caesura::comm {

namespace impl {
Request all_to_all_v(const Instance& instance, const Communicator& communicator, const Rows& send,
                     std::span<const std::int64_t> send_rows, const Rows& receive,
                     std::span<const std::int64_t> receive_rows);
}  // namespace impl

/// Rows for each rank, rows from each rank: both in the order of ranks, one behind the other.
/// \param send          (sum of send_rows, ...)
/// \param send_rows     (size), rows for each rank
/// \param receive       (sum of receive_rows, ...)
/// \param receive_rows  (size), rows from each rank: what that rank has as its send_rows for this one
template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
Request all_to_all_v(const Space& space, const Communicator& communicator, const Send& send,
                     std::span<const std::int64_t> send_rows, const Receive& receive,
                     std::span<const std::int64_t> receive_rows) {
  static_assert(std::is_same_v<typename Send::non_const_value_type, typename Receive::value_type>,
                "all_to_all_v: send and receive must have the same element type");
  return impl::all_to_all_v(space, communicator, send, send_rows, receive, receive_rows);
}

}  // namespace caesura::comm
