// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/state.hpp"

#include <caesura/comm/all_gather.hpp>
#include <caesura/error.hpp>
#include <caesura/impl/upload.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace caesura::impl {

namespace {

constexpr const char* function = "DistributedAttention";

/// An instance of its own, so that what transfers launch does not wait for computations.
template <class TransferSpace, class Space>
TransferSpace transfer_space(const Space& space) {
#if defined(KOKKOS_ENABLE_SERIAL)
  if constexpr (std::is_same_v<TransferSpace, Kokkos::Serial>) return Kokkos::Serial(Kokkos::NewInstance{});
#endif
  if constexpr (std::is_same_v<TransferSpace, Space>) return Kokkos::Experimental::partition_space(space, 1, 1)[0];
}

std::vector<std::int32_t> rows_in(const LocalRows& rows, const LocalRows& wanted) {
  std::vector<std::int32_t> result;
  for (const LocalPiece& piece : wanted.pieces()) {
    for (const LocalPiece& part : rows.find(piece.global)) {
      for (std::int64_t i = 0; i < part.global.size(); ++i) {
        result.push_back(static_cast<std::int32_t>(part.local + i));
      }
    }
  }
  return result;
}

}  // namespace

template <class Space>
DistributedState<Space>::DistributedState(const Space& space, const comm::Communicator& communicator, solver::Plan plan,
                                          const DistributedShape& shape)
    : space_(space),
      transfer_space_(transfer_space<TransferSpace>(space)),
      communicator_(communicator),
      plan_(std::move(plan)),
      shape_(shape),
      sum_type_(accumulator_of(shape.type)),
      progress_(communicator.size() > 1 && communicator.any_thread() ? Progress::own_thread : Progress::caller) {
  if (shape_.dim_v == 0) shape_.dim_v = shape_.dim;
  check_shape();
  check_plans();
  schedule_ = make_schedule(plan_, communicator_.rank(), shape_.results);
  for (const std::vector<Part>& parts : schedule_.steps) {
    std::vector<LoweredPart>& step = steps_.emplace_back();
    for (const Part& part : parts) {
      step.push_back({part, AttentionPlan<Space>(space_, part.mask, {.passes = shape_.passes})});
    }
  }
  for (const LocalStage& stage : schedule_.forward) forward_.emplace_back(space_, communicator_, stage);
  if (shape_.passes == Passes::forward_and_backward) {
    for (const LocalStage& stage : schedule_.backward) backward_.emplace_back(space_, communicator_, stage);
  }
  allocate_buffers();
  space_.fence("caesura::DistributedAttention::set_up");
  prepare_messages();
}

template <class Space>
void DistributedState<Space>::check_shape() const {
  const auto check = [](bool ok, const char* name, std::int64_t value, const auto&... rule) {
    require(ok, [&] { return text(function, ": ", name, " = ", value, ": ", rule...); });
  };
  check(plan_.cluster().ranks == communicator_.size(), "ranks of the plan", plan_.cluster().ranks,
        "must be those of the communicator, ", communicator_.size());
  check(shape_.heads_q >= 1, "heads_q", shape_.heads_q, "must be at least 1");
  check(shape_.heads_kv >= 1, "heads_kv", shape_.heads_kv, "must be at least 1");
  check(shape_.heads_q % shape_.heads_kv == 0, "heads_q", shape_.heads_q,
        "must be a multiple of heads_kv = ", shape_.heads_kv);
  check(shape_.dim >= 1 && shape_.dim <= 512, "dim", shape_.dim, "must lie in [1, 512]");
  check(shape_.dim_v >= 1 && shape_.dim_v <= 512, "dim_v", shape_.dim_v, "must lie in [1, 512]");
}

template <class Space>
void DistributedState<Space>::check_plans() const {
  const Kokkos::View<std::int64_t*, Kokkos::HostSpace> own("caesura::distributed::hash", 1);
  const Kokkos::View<std::int64_t*, Kokkos::HostSpace> all("caesura::distributed::hashes",
                                                           static_cast<std::size_t>(communicator_.size()));
  const Kokkos::DefaultHostExecutionSpace host;
  own(0) = static_cast<std::int64_t>(plan_.hash());
  comm::all_gather(host, communicator_, own, all).wait();
  host.fence("caesura::DistributedAttention::hashes");
  std::vector<std::uint64_t> hashes;
  for (std::size_t i = 0; i < all.extent(0); ++i) hashes.push_back(static_cast<std::uint64_t>(all(i)));
  solver::require_equal_plans(hashes);
}

template <class Space>
void DistributedState<Space>::allocate_buffers() {
  const std::int64_t heads_q = shape_.heads_q, heads_kv = shape_.heads_kv, dim = shape_.dim, dim_v = shape_.dim_v;
  const bool backward = shape_.passes == Passes::forward_and_backward;
  const auto list = [&](const std::vector<std::int32_t>& rows) {
    return upload(space_, rows, "caesura::distributed::rows");
  };
  own_q_positions_ = list(schedule_.own_q.positions());
  own_k_positions_ = list(schedule_.own_k.positions());
  if (backward) allocate_dsink(1);
  if (is_local()) {
    if (backward) {
      workspace_ = allocate<std::byte>(space_, backward_workspace_bytes(schedule_.own_queries, heads_q, shape_.type),
                                       "caesura::distributed::workspace");
    }
    return;
  }
  moved_q_positions_ = list(schedule_.moved_q.positions());
  key_positions_ = list(schedule_.keys.positions());
  to_key_buffer_.to = from_key_buffer_.from = list(rows_in(schedule_.keys, schedule_.own_k));
  gathered_ = gather_buffers();

  const auto buffer = [&](const char* label, std::int64_t rows, std::int64_t heads, std::int64_t width) {
    return RowBuffer<Space>(space_, label, rows, heads, width, sum_type_);
  };
  using solver::Payload;
  const auto scratch = [](const PayloadRows& rows, Payload payload) { return rows[static_cast<std::size_t>(payload)]; };
  if (sum_type_ != shape_.type) {
    running_out_ = buffer("caesura::distributed::running_out", schedule_.own_queries, heads_q, dim_v);
  }
  const std::int64_t moved = schedule_.moved_q.size();
  if (schedule_.moves_queries) {
    own_q_ = RowBuffer<Space>(space_, "caesura::distributed::own_q", schedule_.own_queries, heads_q, dim, shape_.type);
    moved_results_ = buffer("caesura::distributed::moved_results", moved, heads_q, dim_v + 2);
    result_scratch_ = buffer("caesura::distributed::result_scratch",
                             scratch(schedule_.forward_scratch, Payload::outputs), heads_q, dim_v + 2);
  }
  if (!backward) return;
  if (sum_type_ != shape_.type) {
    dq_sum_ = buffer("caesura::distributed::dq", schedule_.own_queries, heads_q, dim);
  }
  key_gradients_ = buffer("caesura::distributed::key_gradients", schedule_.keys.size(), heads_kv, dim + dim_v);
  key_scratch_ = buffer("caesura::distributed::key_scratch", scratch(schedule_.backward_scratch, Payload::keys),
                        heads_kv, dim + dim_v);
  if (schedule_.moves_queries) {
    own_dout_ = buffer("caesura::distributed::own_dout", schedule_.own_queries, heads_q, 2 * dim_v + 1);
    moved_dout_ = buffer("caesura::distributed::moved_dout", moved, heads_q, 2 * dim_v + 1);
    moved_dq_ = buffer("caesura::distributed::moved_dq", moved, heads_q, dim);
    dq_scratch_ =
        buffer("caesura::distributed::dq_scratch", scratch(schedule_.backward_scratch, Payload::queries), heads_q, dim);
  }
  std::int64_t most_queries = 0;
  for (const auto& step : steps_) {
    for (const LoweredPart& lowered : step) most_queries = std::max(most_queries, lowered.part.queries.size());
  }
  workspace_ = allocate<std::byte>(space_, backward_workspace_bytes(most_queries, heads_q, shape_.type),
                                   "caesura::distributed::workspace");
}

/// Moves the buffers' zeros once, so that message memory is there, and counted, before the first step.
template <class Space>
void DistributedState<Space>::prepare_messages() {
  if (is_local()) return;
  for (StageTransfer<Space>& stage : forward_) {
    start(stage, forward_buffers(*gathered_), true);
    wait();
  }
  for (StageTransfer<Space>& stage : backward_) {
    start(stage, backward_buffers(), true);
    wait();
  }
}

template <class Space>
std::shared_ptr<GatheredRowsOf<Space>> DistributedState<Space>::gather_buffers() const {
  auto result = std::make_shared<GatheredRowsOf<Space>>();
  result->keys = RowBuffer<Space>(space_, "caesura::distributed::keys", schedule_.keys.size(), shape_.heads_kv,
                                  shape_.dim + shape_.dim_v, shape_.type);
  result->moved_q = RowBuffer<Space>(space_, "caesura::distributed::moved_q", schedule_.moved_q.size(), shape_.heads_q,
                                     shape_.dim, shape_.type);
  return result;
}

template <class Space>
std::int64_t DistributedState<Space>::memory_bytes() const {
  std::int64_t result = static_cast<std::int64_t>(workspace_.size());
  for (const auto& step : steps_) {
    for (const LoweredPart& lowered : step) result += lowered.plan.memory_bytes();
  }
  for (const Transfers* transfers : {&forward_, &backward_}) {
    for (const StageTransfer<Space>& stage : *transfers) result += stage.memory_bytes();
  }
  for (const Positions* positions :
       {&own_q_positions_, &own_k_positions_, &moved_q_positions_, &key_positions_, &to_key_buffer_.to}) {
    result += static_cast<std::int64_t>(positions->size() * sizeof(std::int32_t));
  }
  if (gathered_) result += gathered_->memory_bytes();
  for (const RowBuffer<Space>* buffer :
       {&running_out_, &dq_sum_, &key_gradients_, &key_scratch_, &own_q_, &moved_results_, &result_scratch_, &own_dout_,
        &moved_dout_, &moved_dq_, &dq_scratch_, &dsink_}) {
    result += buffer->memory_bytes();
  }
  return result;
}

template <class Space>
GatheredRowsOf<Space>& DistributedState<Space>::rows_of(KeptKeys* kept) const {
  if (!kept) return *gathered_;
  auto* const rows = dynamic_cast<GatheredRowsOf<Space>*>(kept->impl_rows().get());
  require(rows && rows->keys.rows() == gathered_->keys.rows() && rows->moved_q.rows() == gathered_->moved_q.rows(),
          [] { return text(function, ": kept = keys of another plan: must come from keep_keys() of this object"); });
  return *rows;
}

template <class Space>
void DistributedState<Space>::copy_own_rows(GatheredRowsOf<Space>& rows, const ViewRef& q, const ViewRef& k,
                                            const ViewRef& v) const {
  if (schedule_.copies_own_keys) {
    store_rows(space_, to_key_buffer_, k, rows.keys.columns(0, shape_.dim), Storing::overwrite);
    store_rows(space_, to_key_buffer_, v, rows.keys.columns(shape_.dim, shape_.dim + shape_.dim_v), Storing::overwrite);
  }
  if (schedule_.moves_queries) store_all(space_, q, own_q_.all(), Storing::overwrite);
}

template <class Space>
ViewRef DistributedState<Space>::keys_of(const Part& part, const GatheredRowsOf<Space>& rows, const ViewRef& k) const {
  return (part.own_keys ? k : rows.keys.columns(0, shape_.dim)).part(0, part.keys.begin, part.keys.end);
}

template <class Space>
ViewRef DistributedState<Space>::values_of(const Part& part, const GatheredRowsOf<Space>& rows,
                                           const ViewRef& v) const {
  return (part.own_keys ? v : rows.keys.columns(shape_.dim, shape_.dim + shape_.dim_v))
      .part(0, part.keys.begin, part.keys.end);
}

/// What all parts share: without sink and outputs, with the rows' positions for dropout.
template <class Space>
AttentionOptions DistributedState<Space>::options_of(const Part& part, const AttentionOptions& options) const {
  AttentionOptions result = options;
  result.sink = result.dsink = result.row_max = {};
  result.q_positions = result.k_positions = {};
  result.workspace = workspace_;
  if (options.dropout.probability > 0) {
    const Positions& q = part.moved ? moved_q_positions_ : own_q_positions_;
    const Positions& k = part.own_keys ? own_k_positions_ : key_positions_;
    result.q_positions = ViewRef(q).part(0, part.queries.begin, part.queries.end);
    result.k_positions = ViewRef(k).part(0, part.keys.begin, part.keys.end);
  }
  return result;
}

template <class Space>
void DistributedState<Space>::start(StageTransfer<Space>& stage, const StageBuffers<Space>& buffers,
                                    bool with_outputs) {
  stage.use(transfer_space_, buffers, with_outputs);
  progress_.run(stage);
}

template <class Space>
void DistributedState<Space>::wait() {
  const double begin = seconds();
  progress_.wait();
  report_.waited_seconds += seconds() - begin;
}

template <class Space>
void DistributedState<Space>::settle() noexcept {
  try {
    progress_.wait();
  } catch (...) {  // NOLINT(bugprone-empty-catch): the first error is on its way already
  }
}

template <class Space>
void DistributedState<Space>::begin_report() {
  report_.waited_seconds = 0;
  report_.timeline.transfers.clear();
  report_.timeline.computes.clear();
  sent_before_ = communicator_.bytes_sent();
  received_before_ = communicator_.bytes_received();
  begin_ = Clock::now();
}

template <class Space>
void DistributedState<Space>::end_report() {
  report_.bytes_sent = communicator_.bytes_sent() - sent_before_;
  report_.bytes_received = communicator_.bytes_received() - received_before_;
  report_.timeline.end = seconds();
}

#define CAESURA_INSTANTIATE(Space) template class DistributedState<Space>;
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::impl
