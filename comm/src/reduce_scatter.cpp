// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/reduction.hpp"
#include "impl/region.hpp"
#include "impl/row_counts.hpp"
#include <caesura/comm/reduce.hpp>

namespace caesura::comm::impl {

Request reduce_scatter_v(const Instance& instance, const Communicator& communicator, const Rows& send,
                         const Rows& receive, std::span<const std::int64_t> rows, Reduction reduction) {
  const Region region("caesura::comm::reduce_scatter_v");
  constexpr std::string_view operation = "reduce_scatter_v";
  Endpoint& endpoint = communicator.impl_endpoint();
  const int rank = endpoint.rank();
  const std::int64_t sum = check_counts(operation, "rows", rows, endpoint.size());
  const std::int64_t own_rows = rows[static_cast<std::size_t>(rank)];
  check_rows(operation, "send", send, sum, "the sum of rows");
  check_rows(operation, "receive", receive, own_rows, "rows[rank]");
  check_reducible(operation, "send", send, "receive", receive, instance);
  check_mean(operation, send, reduction);

  const auto plan = endpoint.plan({.operation = operation, .rows = rows}, [&]() -> std::shared_ptr<Plan> {
    std::vector<RowBlock> sends, receives;
    std::int64_t next = 0, own_begin = 0;
    for (int to = 0; to < endpoint.size(); ++to) {
      if (to == rank) own_begin = next;
      sends.push_back({to, next, next + rows[static_cast<std::size_t>(to)]});
      receives.push_back({to, 0, own_rows});
      next = sends.back().end;
    }
    auto made = std::make_shared<ReducePlan>(endpoint.transport(), operation, sends, receives, Pattern::pairs);
    std::vector<Term> terms;
    for (int from = 0; from < endpoint.size(); ++from) {
      const bool own = from == rank;
      terms.push_back({own ? own_begin : made->exchange().first_arrived(from), own});
    }
    made->table().add(0, own_rows, terms);
    return made;
  });
  return ReducePlan::start(std::static_pointer_cast<ReducePlan>(plan), endpoint, instance, send, receive, reduction,
                           false);
}

}  // namespace caesura::comm::impl
