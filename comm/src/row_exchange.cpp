// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange_plan.hpp"
#include "impl/region.hpp"
#include <caesura/comm/row_exchange.hpp>

#include <utility>

namespace caesura::comm {

struct RowExchange::State {
  Communicator communicator;  // outlives the plan
  RowTransfers transfers;
  std::shared_ptr<impl::ExchangePlan> plan;
};

RowExchange::RowExchange(const Communicator& communicator, RowTransfers transfers)
    : state_(std::make_shared<State>(State{communicator, std::move(transfers), nullptr})) {
  state_->plan = std::make_shared<impl::ExchangePlan>(communicator.impl_transport(), "RowExchange",
                                                      state_->transfers.sends, state_->transfers.receives);
}

const RowTransfers& RowExchange::transfers() const { return state_->transfers; }

std::int64_t RowExchange::memory_bytes() const {
  const std::size_t blocks = state_->transfers.sends.size() + state_->transfers.receives.size();
  return state_->plan->memory_bytes() + static_cast<std::int64_t>(2 * blocks * sizeof(RowBlock));
}

Request RowExchange::start_rows(const impl::Instance& instance, const Rows& send, const Rows& receive) {
  const impl::Region region("caesura::comm::RowExchange");
  return impl::ExchangePlan::start(state_->plan, state_->communicator.impl_endpoint(), instance, send, receive);
}

}  // namespace caesura::comm
