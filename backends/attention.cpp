// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/make_problem.hpp"
#include <caesura/attention.hpp>
#include <caesura/kernels.hpp>

#include <Kokkos_Profiling_ScopedRegion.hpp>

#include <cstddef>

// Where core's API meets the registry: check, select, run. It lies here because core knows no kernel.

namespace caesura {

namespace {

template <class Space>
bool is_accessible(const ViewRef& view) {
  return view.accessible_from<Space>();
}

}  // namespace

template <ExecutionSpace Space>
void attention_forward(const Space& space, const AttentionPlan<Space>& plan, const ViewRef& q, const ViewRef& k,
                       const ViewRef& v, const ViewRef& out, const ViewRef& lse, const AttentionOptions& options) {
  const Kokkos::Profiling::ScopedRegion region("caesura::attention_forward");
  const ForwardProblem problem = impl::make_forward_problem(
      impl::view_of(plan), {.q = q, .k = k, .v = v, .out = out, .lse = lse}, options, is_accessible<Space>);
  select_kernel<Space>(problem, options.variant).forward(space, problem);
}

template <ExecutionSpace Space>
void attention_backward(const Space& space, const AttentionPlan<Space>& plan, const ViewRef& dout, const ViewRef& q,
                        const ViewRef& k, const ViewRef& v, const ViewRef& out, const ViewRef& lse, const ViewRef& dq,
                        const ViewRef& dk, const ViewRef& dv, const AttentionOptions& options) {
  const Kokkos::Profiling::ScopedRegion region("caesura::attention_backward");
  BackwardProblem problem = impl::make_backward_problem(
      impl::view_of(plan), {.q = q, .k = k, .v = v, .out = out, .lse = lse, .dout = dout, .dq = dq, .dk = dk, .dv = dv},
      options, is_accessible<Space>);
  const Kernel<Space>& kernel = select_kernel<Space>(problem, options.variant);
  // Lives until the call ends; on devices freeing it waits for the work, which a given workspace avoids.
  Kokkos::View<std::byte*, typename Space::memory_space> own;
  if (problem.workspace == nullptr) {
    const AttentionShape& shape = problem.shape;
    own = impl::allocate<std::byte>(
        space, backward_workspace_bytes(shape.total_q, shape.heads_q, shape.dim_qk, shape.type, options.sums),
        "attention_backward: workspace");
    problem.workspace = own.data();
  }
  kernel.backward(space, problem);
}

#define CAESURA_INSTANTIATE(Space)                                                                                   \
  template void attention_forward<Space>(const Space&, const AttentionPlan<Space>&, const ViewRef&, const ViewRef&,  \
                                         const ViewRef&, const ViewRef&, const ViewRef&, const AttentionOptions&);   \
  template void attention_backward<Space>(const Space&, const AttentionPlan<Space>&, const ViewRef&, const ViewRef&, \
                                          const ViewRef&, const ViewRef&, const ViewRef&, const ViewRef&,            \
                                          const ViewRef&, const ViewRef&, const ViewRef&, const AttentionOptions&);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura
