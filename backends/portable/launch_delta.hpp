// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/backward.hpp"

namespace caesura::portable {

/// Writes dsink from the workspace, which holds delta.
template <class Space, class Scalar>
void launch_sink(const Space& space, const BackwardProblem& problem, const char* label) {
  using Sink = BackwardSink<Space, accumulator_t<Scalar>>;
  using Tile = typename BackwardDelta<Space, Scalar>::Tile;
  if (problem.dsink) launch_items<Space, Tile>(space, label, problem.shape.heads_q, 0, Sink{problem});
}

/// Fills the workspace with delta and writes dsink, both before any gradient: what most backwards begin with.
template <class Space, class Scalar>
void launch_delta(const Space& space, const BackwardProblem& problem, const char* delta_label, const char* sink_label) {
  using Delta = BackwardDelta<Space, Scalar>;
  launch_items<Space, typename Delta::Tile>(
      space, delta_label, (problem.shape.total_q + Delta::rows_per_item - 1) / Delta::rows_per_item, 0, Delta{problem});
  launch_sink<Space, Scalar>(space, problem, sink_label);
}

}  // namespace caesura::portable
