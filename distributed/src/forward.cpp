// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/state.hpp"
#include "impl/tensor_check.hpp"

namespace caesura::impl {

template <class Space>
StageBuffers<Space> DistributedState<Space>::forward_buffers(GatheredRowsOf<Space>& rows) const {
  return {{{&rows.keys, &rows.keys, {}}, {&own_q_, &rows.moved_q, {}}, {&moved_results_, &result_scratch_, {}}}};
}

template <class Space>
void DistributedState<Space>::forward(const ForwardTensors& tensors, const AttentionOptions& options, KeptKeys* kept) {
  const TensorCheck check("DistributedAttention::forward", shape_, schedule_);
  check.inputs(tensors.q, tensors.k, tensors.v);
  check.query_side(tensors.out, "out", shape_.dim_v);
  check.statistic(tensors.lse, "lse");
  if (options.row_max) check.statistic(options.row_max, "row_max");
  check.options(options);
  begin_report();
  if (is_local()) {
    const LoweredPart& all = steps_.front().front();
    AttentionOptions local = options_of(all.part, options);
    local.sink = options.sink;
    local.row_max = options.row_max;
    attention_forward(space_, all.plan, tensors.q, tensors.k, tensors.v, tensors.out, tensors.lse, local);
    note_compute(0, 0);
    end_report();
    return;
  }

  GatheredRowsOf<Space>& rows = rows_of(kept);
  const bool converts = tensors.out.type() != static_cast<ElementType>(sum_type_);
  const ViewRef out = converts ? running_out_.all() : tensors.out;
  const StageBuffers<Space> buffers = forward_buffers(rows);
  copy_own_rows(rows, tensors.q, tensors.k, tensors.v);
  for (std::size_t turn = 0; turn < turns(); ++turn) {
    StageTransfer<Space>* const transfers = has_stage(turn) ? &forward_[stage_of(turn)] : nullptr;
    if (transfers) {
      // What is sent must be in memory, be it own rows or results that go home.
      if (turn == 0 || schedule_.moves_queries) space_.fence("caesura::DistributedAttention::send");
      start(*transfers, buffers, true);
    }
    if (turn < steps_.size()) {
      if (shape_.results == Results::reproducible && transfers) wait();
      const double begin = seconds();
      for (const LoweredPart& lowered : steps_[turn]) compute(lowered, tensors, out, rows, options);
      note_compute(turn, begin);
    }
    if (transfers) {
      wait();
      if (recording_ == Recording::on) {
        report_.timeline.transfers.push_back({static_cast<std::int32_t>(stage_of(turn)),
                                              transfers->begin_seconds(begin_), transfers->end_seconds(begin_)});
      }
      merge_arrivals(*transfers, out, tensors.lse, options.row_max);
    }
  }
  if (converts) store_all(space_, out, tensors.out, Storing::overwrite);
  end_report();
}

template <class Space>
void DistributedState<Space>::compute(const LoweredPart& lowered, const ForwardTensors& tensors, const ViewRef& out,
                                      const GatheredRowsOf<Space>& rows, const AttentionOptions& options) {
  const Part& part = lowered.part;
  const auto queries = [&](const ViewRef& view) { return view.part(0, part.queries.begin, part.queries.end); };
  AttentionOptions own = options_of(part, options);
  const ViewRef k = keys_of(part, rows, tensors.k), v = values_of(part, rows, tensors.v);
  if (part.moved) {
    const std::int64_t dim_v = shape_.dim_v;
    own.row_max = queries(moved_results_.column(dim_v + 1));
    attention_forward(space_, lowered.plan, queries(rows.moved_q.all()), k, v,
                      queries(moved_results_.columns(0, dim_v)), queries(moved_results_.column(dim_v)), own);
    return;
  }
  const bool first = &lowered == whole_part();  // all others see further keys of its rows
  own.results = first ? ResultMode::overwrite : ResultMode::merge;
  own.key_steps = shape_.results == Results::reproducible ? KeySteps::aligned : KeySteps::tight;
  if (first) own.sink = options.sink;
  if (options.row_max) own.row_max = queries(options.row_max);
  attention_forward(space_, lowered.plan, queries(tensors.q), k, v, queries(out), queries(tensors.lse), own);
}

template <class Space>
void DistributedState<Space>::note_compute(std::size_t step, double begin) {
  if (recording_ == Recording::off) return;
  space_.fence("caesura::DistributedAttention::record");
  report_.timeline.computes.push_back({static_cast<std::int32_t>(step), begin, seconds()});
}

template <class Space>
void DistributedState<Space>::merge_arrivals(const StageTransfer<Space>& stage, const ViewRef& out, const ViewRef& lse,
                                             const ViewRef& row_max) const {
  const std::int64_t dim_v = shape_.dim_v;
  stage.for_each_arrival([&](solver::Payload, const RowPairs<Space>& pairs, const RowBuffer<Space>& scratch) {
    merge_rows(space_, pairs, scratch.columns(0, dim_v), scratch.column(dim_v), scratch.column(dim_v + 1), out, lse,
               row_max);
  });
}

#define CAESURA_INSTANTIATE(Space)                                                                     \
  template StageBuffers<Space> DistributedState<Space>::forward_buffers(GatheredRowsOf<Space>&) const; \
  template void DistributedState<Space>::forward(const ForwardTensors&, const AttentionOptions&, KeptKeys*);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::impl
