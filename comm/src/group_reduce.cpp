// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/group_splits.hpp"
#include "impl/merge_plan.hpp"
#include "impl/reduction.hpp"
#include "impl/region.hpp"
#include "impl/row_counts.hpp"
#include <caesura/comm/group.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace caesura::comm {
namespace {

constexpr const char* name = "GroupReduce";

/// The recipe: each input split is the sum of what its destinations made of it, in the order of ranks. A rank's
/// partial rows for this one arrive in the order of the splits that it got; the own ones lie where the cast put them.
void fill_terms(impl::TermTable& table, const impl::Exchange& exchange, const GroupSplits& splits, int rank,
                int ranks) {
  std::vector<RowBlock> own;
  for (const RowBlock& block : impl::output_blocks(splits))
    if (block.peer == rank && block.begin < block.end) own.push_back(block);
  auto own_block = own.begin();

  std::vector<std::int64_t> next(static_cast<std::size_t>(ranks), 0);
  std::int64_t row = 0;
  for (std::size_t split = 0; split < splits.input_rows.size(); ++split) {
    for (std::int64_t left = splits.input_rows[split]; left > 0;) {
      std::int64_t rows = left;
      std::vector<impl::Term> terms;
      for (const int peer : splits.destinations[split]) {
        if (peer == rank) {
          rows = std::min(rows, own_block->end - own_block->begin);
          terms.push_back({own_block->begin, true});
        } else {
          terms.push_back({exchange.first_arrived(peer) + next[static_cast<std::size_t>(peer)], false});
        }
      }
      for (const int peer : splits.destinations[split]) {
        next[static_cast<std::size_t>(peer)] += rows;
        if (peer == rank && (own_block->begin += rows) == own_block->end) ++own_block;
      }
      table.add(row, rows, terms);
      row += rows;
      left -= rows;
    }
  }
}

}  // namespace

struct GroupReduce::State {
  Communicator communicator;
  GroupSplits splits;
  std::int64_t input_rows = 0, output_rows = 0;
  std::shared_ptr<impl::ReducePlan> reduce;
  std::shared_ptr<impl::MergePlan> merge;
};

GroupReduce::GroupReduce(const Communicator& communicator, GroupSplits splits)
    : state_(std::make_shared<State>(State{communicator, std::move(splits), 0, 0, nullptr, nullptr})) {
  const GroupSplits& lists = state_->splits;
  impl::check_splits(name, lists, communicator.size());
  state_->input_rows = std::reduce(lists.input_rows.begin(), lists.input_rows.end());
  state_->output_rows = std::reduce(lists.output_rows.begin(), lists.output_rows.end());
  const auto sends = impl::output_blocks(lists), receives = impl::input_blocks(lists);
  state_->reduce =
      std::make_shared<impl::ReducePlan>(communicator.impl_transport(), name, sends, receives, impl::Pattern::pairs);
  state_->merge = std::make_shared<impl::MergePlan>(communicator.impl_transport(), name, sends, receives);
  fill_terms(state_->reduce->table(), state_->reduce->exchange(), lists, communicator.rank(), communicator.size());
  fill_terms(state_->merge->table(), state_->merge->exchange(), lists, communicator.rank(), communicator.size());
}

const GroupSplits& GroupReduce::splits() const { return state_->splits; }

std::int64_t GroupReduce::memory_bytes() const {
  return state_->reduce->memory_bytes() + state_->merge->memory_bytes() + impl::list_bytes(state_->splits);
}

Request GroupReduce::start_rows(const impl::Instance& instance, const Rows& partial, const Rows& result,
                                GroupReduction reduction, Existing existing) {
  const impl::Region region("caesura::comm::GroupReduce");
  const Reduction how = reduction == GroupReduction::mean ? Reduction::mean : Reduction::sum;
  impl::check_rows(name, "partial", partial, state_->output_rows, "the sum of output_rows");
  impl::check_rows(name, "result", result, state_->input_rows, "the sum of input_rows");
  impl::check_reducible(name, "partial", partial, "result", result, instance);
  impl::check_mean(name, partial, how);
  return impl::ReducePlan::start(state_->reduce, state_->communicator.impl_endpoint(), instance, partial, result, how,
                                 existing == Existing::accumulate);
}

Request GroupReduce::start_lse_rows(const impl::Instance& instance, const Rows& partial_out, const Rows& partial_lse,
                                    const Rows& out, const Rows& lse, Existing existing) {
  const impl::Region region("caesura::comm::GroupReduce::lse");
  impl::check_rows(name, "partial_out", partial_out, state_->output_rows, "the sum of output_rows");
  impl::check_rows(name, "partial_lse", partial_lse, state_->output_rows, "the sum of output_rows");
  impl::check_rows(name, "out", out, state_->input_rows, "the sum of input_rows");
  impl::check_rows(name, "lse", lse, state_->input_rows, "the sum of input_rows");
  impl::check_reducible(name, "partial_out", partial_out, "out", out, instance);
  impl::check_reducible(name, "partial_lse", partial_lse, "lse", lse, instance);
  impl::check_lse(name, "partial_out", partial_out, "partial_lse", partial_lse);
  impl::check_lse(name, "out", out, "lse", lse);
  return impl::MergePlan::start(state_->merge, state_->communicator.impl_endpoint(), instance, partial_out, partial_lse,
                                out, lse, existing == Existing::accumulate);
}

}  // namespace caesura::comm
