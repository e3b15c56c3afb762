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

/// How elements of several ranks become one. Sums run in a fixed order, over ascending ranks, in double for double
/// and in float for float, half and bfloat16, whatever is sent; integers in their own type (no mean of integers).
enum class Reduction : std::uint8_t { sum, mean, max, min };

/// A View whose elements can be summed: of double, float, half, bfloat16, int32 or int64.
template <class View>
concept ReducibleRowsView = RowsView<View> && caesura::impl::element_type<typename View::non_const_value_type>() !=
ElementType::byte;

namespace impl {
Request reduce_scatter_v(const Instance& instance, const Communicator& communicator, const Rows& send,
                         const Rows& receive, std::span<const std::int64_t> rows, Reduction reduction);
Request all_reduce(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive,
                   Reduction reduction);
}  // namespace impl

/// Reduces all ranks' rows; rank r keeps the r-th part.
/// \param send     (sum of rows, ...)
/// \param receive  (rows[rank], ...); its elements may be wider than those sent (float sums of half rows)
/// \param rows     (size), the same on every rank
template <ExecutionSpace Space, ReducibleRowsView Send, ReducibleRowsView Receive>
  requires WritableRowsView<Receive>
Request reduce_scatter_v(const Space& space, const Communicator& communicator, const Send& send, const Receive& receive,
                         std::span<const std::int64_t> rows, Reduction reduction = Reduction::sum) {
  return impl::reduce_scatter_v(space, communicator, send, receive, rows, reduction);
}

/// Reduces all ranks' rows for everybody: bit-identical on all ranks. Every rank receives the rows of all others, so
/// it is meant for few of them (losses, counts, norms).
/// \param send, receive  (rows, ...), the same extents; may be the same View
template <ExecutionSpace Space, ReducibleRowsView Send, ReducibleRowsView Receive>
  requires WritableRowsView<Receive>
Request all_reduce(const Space& space, const Communicator& communicator, const Send& send, const Receive& receive,
                   Reduction reduction = Reduction::sum) {
  return impl::all_reduce(space, communicator, send, receive, reduction);
}

}  // namespace caesura::comm
