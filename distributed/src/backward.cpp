// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/state.hpp"
#include "impl/tensor_check.hpp"
#include <caesura/comm/reduce.hpp>

namespace caesura::impl {

template <class Space>
StageBuffers<Space> DistributedState<Space>::backward_buffers() const {
  return {{{&key_gradients_, &key_scratch_, key_gradients_.all()},
           {&moved_dq_, &dq_scratch_, {}},
           {&own_dout_, &moved_dout_, {}}}};
}

template <class Space>
void DistributedState<Space>::backward(const BackwardTensors& tensors, const AttentionOptions& options,
                                       KeptKeys* kept) {
  const TensorCheck check("DistributedAttention::backward", shape_, schedule_);
  require(shape_.passes == Passes::forward_and_backward, [] {
    return text("DistributedAttention::backward: passes = forward: must be made with Passes::forward_and_backward");
  });
  check.inputs(tensors.q, tensors.k, tensors.v);
  check.query_side(tensors.dout, "dout", shape_.dim_v);
  check.query_side(tensors.out, "out", shape_.dim_v);
  check.statistic(tensors.lse, "lse");
  check.query_side(tensors.dq, "dq", shape_.dim);
  check.key_side(tensors.dk, "dk", shape_.dim);
  check.key_side(tensors.dv, "dv", shape_.dim_v);
  check.options(options);
  begin_report();
  if (options.dsink) prepare_dsink(options);
  if (is_local()) {
    const LoweredPart& all = steps_.front().front();
    AttentionOptions local = options_of(all.part, options);
    local.sink = options.sink;
    if (options.dsink) local.dsink = dsink_like(options.sink);
    attention_backward(space_, all.plan, tensors.dout, tensors.q, tensors.k, tensors.v, tensors.out, tensors.lse,
                       tensors.dq, tensors.dk, tensors.dv, local);
    if (options.dsink) reduce_dsink(options);
    end_report();
    return;
  }

  GatheredRowsOf<Space>& rows = rows_of(kept);
  const bool converts = tensors.dq.type() != static_cast<ElementType>(sum_type_);
  const ViewRef dq = converts ? dq_sum_.all() : tensors.dq;
  const bool adds_dq = options.query_gradients == GradientMode::accumulate;
  if (converts || !adds_dq) clear(dq);
  clear(key_gradients_.all());
  if (schedule_.moves_queries) {
    const std::int64_t dim_v = shape_.dim_v;
    store_all(space_, tensors.dout, own_dout_.columns(0, dim_v), Storing::overwrite);
    store_all(space_, tensors.out, own_dout_.columns(dim_v, 2 * dim_v), Storing::overwrite);
    store_all(space_, tensors.lse, own_dout_.column(2 * dim_v), Storing::overwrite);
    clear(moved_dq_.all());
  }

  // Step 0 needs nothing from others: it runs while keys come again, where they were not kept.
  const bool reproducible = shape_.results == Results::reproducible;
  bool did_first = false;
  if (!kept) {
    const StageBuffers<Space> buffers = forward_buffers(rows);
    copy_own_rows(rows, tensors.q, tensors.k, tensors.v);
    space_.fence("caesura::DistributedAttention::send");
    for (StageTransfer<Space>& stage : forward_) {
      start(stage, buffers, false);
      if (!did_first && !reproducible) {
        for (const LoweredPart& lowered : steps_.front()) differentiate(lowered, tensors, dq, rows, options);
        did_first = true;
      }
      wait();
    }
  }

  const StageBuffers<Space> buffers = backward_buffers();
  for (std::size_t turn = turns(); turn-- > 0;) {
    StageTransfer<Space>* const transfers =
        has_stage(turn) ? &backward_[backward_.size() - 1 - stage_of(turn)] : nullptr;
    if (transfers) {
      space_.fence("caesura::DistributedAttention::send");
      start(*transfers, buffers, true);
    }
    if (turn < steps_.size() && !(turn == 0 && did_first)) {
      for (const LoweredPart& lowered : steps_[turn]) differentiate(lowered, tensors, dq, rows, options);
    }
    if (transfers) {
      wait();
      add_arrivals(*transfers, dq);
    }
  }

  const Storing storing = options.gradients == GradientMode::accumulate ? Storing::add : Storing::overwrite;
  store_rows(space_, from_key_buffer_, key_gradients_.columns(0, shape_.dim), tensors.dk, storing);
  store_rows(space_, from_key_buffer_, key_gradients_.columns(shape_.dim, shape_.dim + shape_.dim_v), tensors.dv,
             storing);
  if (converts) store_all(space_, dq, tensors.dq, adds_dq ? Storing::add : Storing::overwrite);
  if (options.dsink) reduce_dsink(options);
  end_report();
}

template <class Space>
void DistributedState<Space>::differentiate(const LoweredPart& lowered, const BackwardTensors& tensors,
                                            const ViewRef& dq, const GatheredRowsOf<Space>& rows,
                                            const AttentionOptions& options) {
  const Part& part = lowered.part;
  AttentionOptions own = options_of(part, options);
  own.gradients = own.query_gradients = GradientMode::accumulate;
  const auto queries = [&](const ViewRef& view) { return view.part(0, part.queries.begin, part.queries.end); };
  const ViewRef k = keys_of(part, rows, tensors.k), v = values_of(part, rows, tensors.v);
  // Own keys lie first in the buffer where the user's k and v are used; elsewhere parts count in the buffer's rows.
  const ViewRef dk = key_gradients_.columns(0, shape_.dim).part(0, part.keys.begin, part.keys.end);
  const ViewRef dv =
      key_gradients_.columns(shape_.dim, shape_.dim + shape_.dim_v).part(0, part.keys.begin, part.keys.end);
  if (part.moved) {
    const std::int64_t dim_v = shape_.dim_v;
    attention_backward(space_, lowered.plan, queries(moved_dout_.columns(0, dim_v)), queries(rows.moved_q.all()), k, v,
                       queries(moved_dout_.columns(dim_v, 2 * dim_v)), queries(moved_dout_.column(2 * dim_v)),
                       queries(moved_dq_.all()), dk, dv, own);
    return;
  }
  // The part of all own rows knows the sink's whole gradient.
  if (options.dsink && &lowered == whole_part()) {
    own.sink = options.sink;
    own.dsink = dsink_like(options.sink);
  }
  attention_backward(space_, lowered.plan, queries(tensors.dout), queries(tensors.q), k, v, queries(tensors.out),
                     queries(tensors.lse), queries(dq), dk, dv, own);
}

template <class Space>
void DistributedState<Space>::add_arrivals(const StageTransfer<Space>& stage, const ViewRef& dq) const {
  stage.for_each_arrival([&](solver::Payload payload, const RowPairs<Space>& pairs, const RowBuffer<Space>& scratch) {
    store_rows(space_, pairs, scratch.all(), payload == solver::Payload::keys ? key_gradients_.all() : dq,
               Storing::add);
  });
}

template <class Space>
void DistributedState<Space>::prepare_dsink(const AttentionOptions& options) {
  const std::int64_t sinks = options.sink.rank() == 2 ? options.sink.extent(1) : 1;
  if (dsink_.all().extent(2) != sinks) allocate_dsink(sinks);
  clear(dsink_.all());
}

/// The own gradient and the sum of all ranks'.
template <class Space>
void DistributedState<Space>::allocate_dsink(std::int64_t sinks) {
  dsink_ = RowBuffer<Space>(space_, "caesura::distributed::dsink", 2, shape_.heads_q, sinks, sum_type_);
}

/// Row 0 of the buffer, shaped as the sink.
template <class Space>
ViewRef DistributedState<Space>::dsink_like(const ViewRef& sink) const {
  using Memory = typename Space::memory_space;
  const auto type = static_cast<ElementType>(sum_type_);
  std::byte* const data = dsink_.bytes().data();
  if (sink.rank() == 1) return ViewRef::from_memory<Memory>(data, type, {shape_.heads_q}, {1});
  return ViewRef::from_memory<Memory>(data, type, {shape_.heads_q, sink.extent(1)}, {sink.extent(1), 1});
}

template <class Space>
void DistributedState<Space>::reduce_dsink(const AttentionOptions& options) {
  const auto size = static_cast<std::size_t>(dsink_.all().extent(1) * dsink_.all().extent(2));
  const auto reduce = [&](auto real) {
    using View = Kokkos::View<decltype(real)**, Kokkos::LayoutRight, typename Space::memory_space,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    const View parts(reinterpret_cast<decltype(real)*>(dsink_.bytes().data()), 2, size);
    comm::all_reduce(space_, communicator_, Kokkos::subview(parts, std::pair(0, 1), Kokkos::ALL),
                     Kokkos::subview(parts, std::pair(1, 2), Kokkos::ALL))
        .wait();
  };
  if (sum_type_ == ScalarType::float64) {
    reduce(double{});
  } else {
    reduce(float{});
  }
  const ViewRef& dsink = options.dsink;
  const bool table = dsink.rank() == 2;
  // As one row of (1, heads, sinks).
  const ViewRef to = ViewRef::from_memory<typename Space::memory_space>(
      dsink.data(), dsink.type(), {1, dsink.extent(0), table ? dsink.extent(1) : 1},
      {0, dsink.stride(0), table ? dsink.stride(1) : 1});
  store_all(space_, dsink_.all().part(0, 1, 2), to,
            options.gradients == GradientMode::accumulate ? Storing::add : Storing::overwrite);
}

#define CAESURA_INSTANTIATE(Space)                                                                             \
  template void DistributedState<Space>::backward(const BackwardTensors&, const AttentionOptions&, KeptKeys*); \
  template void DistributedState<Space>::allocate_dsink(std::int64_t);                                         \
  template StageBuffers<Space> DistributedState<Space>::backward_buffers() const;
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::impl
