// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/forward.hpp"
#include "backends/portable/portable.hpp"

namespace caesura::portable {

template <class Space, class Scalar>
void forward(const Space& space, const ForwardProblem& problem) {
  using Functor = Forward<Space, Scalar>;
  using Tile = typename Functor::Tile;
  const ShapeChoice choice =
      choose_shape(Tile::shapes, scratch_limit<Space, Tile>(), "attention_forward",
                   [&](TileShape shape) { return scratch_bytes_of<typename Functor::Scratch>(problem.shape, shape); });
  launch_items<Space, Tile>(space, "caesura::forward::portable",
                            items_of(problem.rows.schedule, choice.shape, problem.shape.heads_q), choice.bytes,
                            Functor{problem, DropoutRule(problem.shape), choice.shape, choice.bytes});
}

}  // namespace caesura::portable
