// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/backward.hpp"

namespace caesura::portable {

/// Fills the workspace with delta and writes dsink, both before any gradient: what every backward begins with.
template <class Space, class Scalar>
void launch_delta(const Space& space, const BackwardProblem& problem, const char* delta_label, const char* sink_label) {
  using Delta = BackwardDelta<Space, Scalar>;
  using Sink = BackwardSink<Space, accumulator_t<Scalar>>;
  using Tile = typename Delta::Tile;
  launch_items<Space, Tile>(
      space, delta_label, (problem.shape.total_q + Delta::rows_per_item - 1) / Delta::rows_per_item, 0, Delta{problem});
  if (problem.dsink) launch_items<Space, Tile>(space, sink_label, problem.shape.heads_q, 0, Sink{problem});
}

}  // namespace caesura::portable
