// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/impl/instance.hpp>
#include <caesura/comm/request.hpp>
#include <caesura/comm/rows.hpp>

namespace caesura::comm {

namespace impl {
Request ring_shift(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive,
                   int stride);
}  // namespace impl

/// Sends to rank + stride and receives from rank - stride, both modulo size. Any stride, also negative or 0.
/// \param send     (rows, ...)
/// \param receive  (rows, ...), as many as the rank that sends to this one has; must not overlap `send`
template <ExecutionSpace Space, RowsView Send, WritableRowsView Receive>
Request ring_shift(const Space& space, const Communicator& communicator, const Send& send, const Receive& receive,
                   int stride = 1) {
  static_assert(std::is_same_v<typename Send::non_const_value_type, typename Receive::value_type>,
                "ring_shift: send and receive must have the same element type");
  return impl::ring_shift(space, communicator, send, receive, stride);
}

}  // namespace caesura::comm
