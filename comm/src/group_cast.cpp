// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/exchange_plan.hpp"
#include "impl/group_splits.hpp"
#include "impl/region.hpp"
#include "impl/row_counts.hpp"
#include <caesura/comm/group.hpp>

#include <numeric>
#include <utility>

namespace caesura::comm {

struct GroupCast::State {
  Communicator communicator;
  GroupSplits splits;
  std::int64_t input_rows = 0, output_rows = 0;
  std::shared_ptr<impl::ExchangePlan> plan;
};

GroupCast::GroupCast(const Communicator& communicator, GroupSplits splits)
    : state_(std::make_shared<State>(State{communicator, std::move(splits), 0, 0, nullptr})) {
  const GroupSplits& lists = state_->splits;
  impl::check_splits("GroupCast", lists, communicator.size());
  state_->input_rows = std::reduce(lists.input_rows.begin(), lists.input_rows.end());
  state_->output_rows = std::reduce(lists.output_rows.begin(), lists.output_rows.end());
  state_->plan = std::make_shared<impl::ExchangePlan>(communicator.impl_transport(), "GroupCast",
                                                      impl::input_blocks(lists), impl::output_blocks(lists));
}

const GroupSplits& GroupCast::splits() const { return state_->splits; }
std::int64_t GroupCast::memory_bytes() const { return state_->plan->memory_bytes() + impl::list_bytes(state_->splits); }

Request GroupCast::start_rows(const impl::Instance& instance, const Rows& send, const Rows& receive) {
  const impl::Region region("caesura::comm::GroupCast");
  impl::check_rows("GroupCast", "send", send, state_->input_rows, "the sum of input_rows");
  impl::check_rows("GroupCast", "receive", receive, state_->output_rows, "the sum of output_rows");
  return impl::ExchangePlan::start(state_->plan, state_->communicator.impl_endpoint(), instance, send, receive);
}

}  // namespace caesura::comm
