// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention.hpp>
#include <caesura/problem.hpp>

// From arguments to a checked problem: everything a caller can get wrong is found here, before anything is launched.

namespace caesura::impl {

/// What a plan tells the checks; free of its execution space.
struct PlanView {
  std::int64_t total_q = 0;
  std::int64_t total_k = 0;
  Passes passes = Passes::forward_and_backward;
  Lowered rows;
  Lowered columns;
};

template <ExecutionSpace Space>
PlanView view_of(const AttentionPlan<Space>& plan) {
  return {plan.total_q(), plan.total_k(), plan.passes(), plan.rows(), plan.columns()};
}

/// The tensor arguments of both calls; those of the forward leave the gradients empty.
struct AttentionArguments {
  ViewRef q, k, v, out, lse;
  ViewRef dout = {}, dq = {}, dk = {}, dv = {};
};

/// Whether the execution space can reach a View.
using IsAccessible = bool (*)(const ViewRef&);

ForwardProblem make_forward_problem(const PlanView& plan, const AttentionArguments& arguments,
                                    const AttentionOptions& options, IsAccessible is_accessible);

/// `workspace` is left empty where the options give none.
BackwardProblem make_backward_problem(const PlanView& plan, const AttentionArguments& arguments,
                                      const AttentionOptions& options, IsAccessible is_accessible);

}  // namespace caesura::impl
