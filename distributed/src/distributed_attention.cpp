// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/state.hpp"
#include <caesura/distributed/distributed_attention.hpp>

#include <Kokkos_Profiling_ScopedRegion.hpp>

#include <utility>

namespace caesura {

std::int64_t KeptKeys::memory_bytes() const { return rows_ ? rows_->memory_bytes() : 0; }

template <ExecutionSpace Space>
DistributedAttention<Space>::DistributedAttention(const Space& space, const comm::Communicator& communicator,
                                                  solver::Plan plan, const DistributedShape& shape)
    : state_(std::make_unique<impl::DistributedState<Space>>(space, communicator, std::move(plan), shape)) {}

template <ExecutionSpace Space>
DistributedAttention<Space>::~DistributedAttention() = default;
template <ExecutionSpace Space>
DistributedAttention<Space>::DistributedAttention(DistributedAttention&&) noexcept = default;
template <ExecutionSpace Space>
DistributedAttention<Space>& DistributedAttention<Space>::operator=(DistributedAttention&&) noexcept = default;

template <ExecutionSpace Space>
void DistributedAttention<Space>::forward(const ViewRef& q, const ViewRef& k, const ViewRef& v, const ViewRef& out,
                                          const ViewRef& lse, const AttentionOptions& options, KeptKeys* kept) {
  const Kokkos::Profiling::ScopedRegion region("caesura::distributed::forward");
  try {
    state_->forward({q, k, v, out, lse}, options, kept);
  } catch (...) {
    state_->settle();
    throw;
  }
}

template <ExecutionSpace Space>
void DistributedAttention<Space>::backward(const ViewRef& dout, const ViewRef& q, const ViewRef& k, const ViewRef& v,
                                           const ViewRef& out, const ViewRef& lse, const ViewRef& dq, const ViewRef& dk,
                                           const ViewRef& dv, const AttentionOptions& options, KeptKeys* kept) {
  const Kokkos::Profiling::ScopedRegion region("caesura::distributed::backward");
  try {
    state_->backward({dout, q, k, v, out, lse, dq, dk, dv}, options, kept);
  } catch (...) {
    state_->settle();
    throw;
  }
}

template <ExecutionSpace Space>
KeptKeys DistributedAttention<Space>::keep_keys() const {
  return KeptKeys(state_->gather_buffers());
}

template <ExecutionSpace Space>
const solver::Plan& DistributedAttention<Space>::plan() const {
  return state_->plan();
}

template <ExecutionSpace Space>
std::int64_t DistributedAttention<Space>::memory_bytes() const {
  return state_->memory_bytes();
}

template <ExecutionSpace Space>
const CallReport& DistributedAttention<Space>::last_call() const {
  return state_->report();
}

template <ExecutionSpace Space>
void DistributedAttention<Space>::record(Recording recording) {
  state_->record(recording);
}

#define CAESURA_INSTANTIATE(Space) template class DistributedAttention<Space>;
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura
