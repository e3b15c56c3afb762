// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/reduction.hpp"
#include "impl/region.hpp"
#include "impl/row_counts.hpp"
#include <caesura/comm/reduce.hpp>

namespace caesura::comm::impl {

Request all_reduce(const Instance& instance, const Communicator& communicator, const Rows& send, const Rows& receive,
                   Reduction reduction) {
  const Region region("caesura::comm::all_reduce");
  constexpr std::string_view operation = "all_reduce";
  Endpoint& endpoint = communicator.impl_endpoint();
  check_rows(operation, "receive", receive, send.rows(), "the rows of send");
  check_reducible(operation, "send", send, "receive", receive, instance);
  check_mean(operation, send, reduction);

  const auto plan = endpoint.plan({.operation = operation, .parameter = send.rows()}, [&]() -> std::shared_ptr<Plan> {
    std::vector<RowBlock> blocks;
    for (int rank = 0; rank < endpoint.size(); ++rank) blocks.push_back({rank, 0, send.rows()});
    // With nobody else there is nothing to gather: the own rows are reduced from where they are.
    auto made = std::make_shared<ReducePlan>(endpoint.transport(), operation, blocks, blocks, Pattern::everybody);
    std::vector<Term> terms;
    for (int rank = 0; rank < endpoint.size(); ++rank)
      terms.push_back({made->exchange().first_arrived(rank), endpoint.size() == 1});
    made->table().add(0, send.rows(), terms);
    return made;
  });
  return ReducePlan::start(std::static_pointer_cast<ReducePlan>(plan), endpoint, instance, send, receive, reduction,
                           false);
}

}  // namespace caesura::comm::impl
