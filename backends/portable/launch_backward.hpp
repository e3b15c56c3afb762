// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/backward_kv.hpp"
#include "backends/portable/backward_q.hpp"
#include "backends/portable/launch_delta.hpp"
#include "backends/portable/portable.hpp"

namespace caesura::portable {

template <class Functor, class Space>
void launch_pass(const Space& space, const char* label, const BackwardProblem& problem, const TileSchedule& schedule,
                 std::int32_t heads, const ShapeChoice& choice) {
  using Real = typename Functor::Real;
  launch_items<Space, typename Functor::Tile>(
      space, label, items_of(schedule, choice.shape, heads), choice.bytes,
      Functor{problem, PairGradient<Real>(problem.shape), PairGradient<Real>::score_factor(problem.shape), choice.shape,
              choice.bytes});
}

template <class Space, class Scalar>
void backward(const Space& space, const BackwardProblem& problem) {
  using Q = BackwardQ<Space, Scalar>;
  using KV = BackwardKV<Space, Scalar>;
  using Tile = typename Q::Tile;
  // Both shapes are chosen before the first launch: an error must leave the outputs alone.
  const std::int64_t limit = scratch_limit<Space, Tile>();
  const auto choose = [&](auto bytes_of) {
    return choose_shape(Tile::shapes, limit, "attention_backward",
                        [&](TileShape shape) { return bytes_of(problem.shape, shape); });
  };
  const ShapeChoice choice_q = choose(&scratch_bytes_of<typename Q::Scratch>);
  const ShapeChoice choice_kv = choose(&scratch_bytes_of<typename KV::Scratch>);

  launch_delta<Space, Scalar>(space, problem, "caesura::backward::portable::delta",
                              "caesura::backward::portable::sink");
  launch_pass<Q>(space, "caesura::backward::portable::q", problem, problem.rows.schedule, problem.shape.heads_q,
                 choice_q);
  launch_pass<KV>(space, "caesura::backward::portable::kv", problem, problem.columns.schedule, problem.shape.heads_kv,
                  choice_kv);
}

}  // namespace caesura::portable
