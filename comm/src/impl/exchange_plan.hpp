// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/endpoint.hpp"
#include "impl/exchange.hpp"
#include "impl/plan.hpp"

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace caesura::comm::impl {

/// An exchange that is an operation by itself.
class ExchangePlan final : public Plan {
 public:
  template <class... Arguments>
  explicit ExchangePlan(Arguments&&... arguments) : exchange_(std::forward<Arguments>(arguments)...) {}

  bool test() override { return exchange_.test(); }
  void wait() override { exchange_.wait(); }
  bool under_way() const override { return exchange_.under_way(); }
  std::int64_t memory_bytes() const override { return exchange_.memory_bytes(); }

  static Request start(const std::shared_ptr<ExchangePlan>& plan, Endpoint& endpoint, const Instance& instance,
                       const Rows& send, const Rows& receive) {
    return plan->exchange_.start(endpoint, instance, send, receive) ? Request(plan) : Request();
  }

 private:
  Exchange exchange_;
};

/// The plan for \p key, or one of the transfers that \p fill lists (sends, receives). Started.
template <class Fill>
Request start_kept(Endpoint& endpoint, const PlanKey& key, const Instance& instance, const Rows& send,
                   const Rows& receive, Pattern pattern, const Fill& fill) {
  const auto plan = endpoint.plan(key, [&]() -> std::shared_ptr<Plan> {
    std::vector<RowBlock> sends, receives;
    fill(sends, receives);
    return std::make_shared<ExchangePlan>(endpoint.transport(), key.operation, sends, receives, Arrival::in_place,
                                          pattern);
  });
  return ExchangePlan::start(std::static_pointer_cast<ExchangePlan>(plan), endpoint, instance, send, receive);
}

}  // namespace caesura::comm::impl
