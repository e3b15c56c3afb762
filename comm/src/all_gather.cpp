// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange_plan.hpp"
#include "impl/region.hpp"
#include "impl/row_counts.hpp"
#include <caesura/comm/all_gather.hpp>

namespace caesura::comm::impl {
namespace {

template <class RowsOf>
Request gather(const PlanKey& key, const Instance& instance, Endpoint& endpoint, const Rows& send, const Rows& receive,
               const RowsOf& rows_of) {
  return start_kept(endpoint, key, instance, send, receive, Pattern::everybody,
                    [&](std::vector<RowBlock>& sends, std::vector<RowBlock>& receives) {
                      std::int64_t next = 0;
                      for (int rank = 0; rank < endpoint.size(); ++rank) {
                        sends.push_back({rank, 0, rows_of(endpoint.rank())});
                        receives.push_back({rank, next, next + rows_of(rank)});
                        next = receives.back().end;
                      }
                    });
}

}  // namespace

Request all_gather(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive) {
  const Region region("caesura::comm::all_gather");
  constexpr std::string_view operation = "all_gather";
  Endpoint& endpoint = communicator.impl_endpoint();
  check_rows(operation, "receive", receive, endpoint.size() * send.rows(), "ranks times the rows of send");
  return gather({.operation = operation, .parameter = send.rows()}, instance, endpoint, send, receive,
                [&](int) { return send.rows(); });
}

Request all_gather_v(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive,
                     std::span<const std::int64_t> rows) {
  const Region region("caesura::comm::all_gather_v");
  constexpr std::string_view operation = "all_gather_v";
  Endpoint& endpoint = communicator.impl_endpoint();
  const std::int64_t sum = check_counts(operation, "rows", rows, endpoint.size());
  check_rows(operation, "send", send, rows[static_cast<std::size_t>(endpoint.rank())], "rows[rank]");
  check_rows(operation, "receive", receive, sum, "the sum of rows");
  return gather({.operation = operation, .rows = rows}, instance, endpoint, send, receive,
                [&](int rank) { return rows[static_cast<std::size_t>(rank)]; });
}

}  // namespace caesura::comm::impl
