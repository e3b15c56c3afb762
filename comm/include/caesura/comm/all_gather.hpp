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
Request all_gather(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive);
Request all_gather_v(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive,
                     std::span<const std::int64_t> rows);
}  // namespace impl

/// Every rank's rows on every rank, in the order of ranks.
/// \param send     (rows, ...), equally many on every rank
/// \param receive  (size * rows, ...); may contain `send` at its place: `send` == rows [rank * rows, (rank + 1) * rows)
/// \throws Error (invalid_argument) on other extents
template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
Request all_gather(const Space& space, const Communicator& communicator, const Send& send, const Receive& receive) {
  static_assert(std::is_same_v<typename Send::non_const_value_type, typename Receive::value_type>,
                "all_gather: send and receive must have the same element type");
  return impl::all_gather(space, communicator, send, receive);
}

/// Every rank's rows on every rank, where ranks have unequally many.
/// \param rows  (size), the rows of each rank; the same on every rank
/// \param send     (rows[rank], ...)
/// \param receive  (sum of rows, ...); may contain `send` at its place
template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
Request all_gather_v(const Space& space, const Communicator& communicator, const Send& send, const Receive& receive,
                     std::span<const std::int64_t> rows) {
  static_assert(std::is_same_v<typename Send::non_const_value_type, typename Receive::value_type>,
                "all_gather_v: send and receive must have the same element type");
  return impl::all_gather_v(space, communicator, send, receive, rows);
}

}  // namespace caesura::comm
