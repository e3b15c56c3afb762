// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/backward.hpp"

namespace caesura::portable {

template <class Tile, class Real>
struct BackwardQScratch {
  LaneBuffer<Tile, Real> q, dout, dq;
  LaneIntervals lanes;
  Real *k, *v;        // (stream, pitch)
  Real *scores, *dp;  // (stream, lanes of a slice): S^T then P^T, and dP^T then dS^T
  Real *lse, *delta;  // by lane
  int k_pitch, v_pitch;

  KOKKOS_FUNCTION BackwardQScratch(Arena& arena, TileShape shape, int dim_qk, int dim_v)
      : q(arena, dim_qk, shape.resident),
        dout(arena, dim_v, shape.resident),
        dq(arena, dim_qk, shape.resident),
        lanes(arena, shape.resident, Tile::slice_lanes(shape.resident)),
        k_pitch(round_up(dim_qk, Tile::micro_rows)),
        v_pitch(round_up(dim_v, Tile::micro_rows)) {
    const int rows = shape.stream + Tile::micro_rows;
    k = arena.template take<Real>(rows * k_pitch);
    v = arena.template take<Real>(rows * v_pitch);
    scores = arena.template take<Real>(rows * q.pitch());
    dp = arena.template take<Real>(rows * q.pitch());
    lse = arena.template take<Real>(shape.resident);
    delta = arena.template take<Real>(shape.resident);
  }
};

/// dq. Work item: a share of a query tile, one query head; streams keys.
template <class Space, class Scalar>
struct BackwardQ {
  using Real = accumulator_t<Scalar>;
  using Tile = portable::Tile<Space, Real>;
  using Scratch = BackwardQScratch<Tile, Real>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;

  BackwardProblem problem;
  PairGradient<Real> pair;
  Real score_factor;
  TileShape shape;
  std::int64_t scratch_bytes;

  KOKKOS_FUNCTION void operator()(const Member& team) const {
    const AttentionShape& attention = problem.shape;
    const TileSchedule& schedule = problem.rows.schedule;
    const WorkItem item(team.league_rank(), schedule, shape.resident, attention.heads_q, attention.total_q);
    const Residents own = item.own;
    const int head = item.head;
    const int head_kv = head / (attention.heads_q / attention.heads_kv);
    if (own.count == 0) return;

    Arena arena(scratch_of<Tile>(team, scratch_bytes));
    const Scratch scratch(arena, shape, attention.dim_qk, attention.dim_v);
    load(team, scratch, own, head);
    team.team_barrier();
    for (std::int32_t layer = 0; layer < problem.rows.intervals.layers; ++layer) {
      scratch.lanes.load(team, problem.rows.intervals, layer, own);
      for_each_step(schedule, layer, item.tile, scratch.lanes, shape.stream, false, [&](TileRange step) {
        const bool special =
            stage<Scalar>(team, problem.k, step, head_kv, attention.dim_qk, scratch.k, scratch.k_pitch);
        stage<Scalar>(team, problem.v, step, head_kv, attention.dim_v, scratch.v, scratch.v_pitch);
        team.team_barrier();
        for (int s = 0; s < scratch.lanes.slices; ++s) visit(team, scratch, own, head, s, step, special);
      });
      team.team_barrier();
    }
    store_lanes<Scalar>(team, scratch.dq, own, attention.dim_qk, problem.dq, head, problem.accumulate_q,
                        [&](int) { return static_cast<Real>(attention.scale); });
  }

 private:
  KOKKOS_FUNCTION void load(const Member& team, const Scratch& scratch, Residents own, int head) const {
    load_lanes<Scalar>(team, problem.q, own, head, problem.shape.dim_qk, shape.resident, score_factor, scratch.q);
    load_lanes<Scalar>(team, problem.dout, own, head, problem.shape.dim_v, shape.resident, Real(1), scratch.dout);
    clear_lanes(team, shape.resident, scratch.dq);
    const DeltaRef<Real> delta{static_cast<Real*>(problem.workspace), problem.shape.total_q};
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, shape.resident), [&](int lane) {
      const bool exists = lane < own.count;
      scratch.lse[lane] = exists ? saved_lse<Real>(problem.lse, own.begin + lane, head) : Real(0);
      scratch.delta[lane] = exists ? delta(own.begin + lane, head) : Real(0);
    });
  }

  KOKKOS_FUNCTION void visit(const Member& team, const Scratch& scratch, Residents own, int head, int s, TileRange all,
                             bool special) const {
    const SliceStep step(scratch.lanes, s, all);
    if (step.empty()) return;
    const int slice = scratch.lanes.slice, pitch = scratch.q.pitch();
    const std::int64_t skipped = step.begin - all.begin;
    const Real* k = scratch.k + skipped * scratch.k_pitch;
    const Real* v = scratch.v + skipped * scratch.v_pitch;
    multiply<Tile, Left::rows, Start::zero>(team, step.count(), slice, problem.shape.dim_qk, k, scratch.k_pitch,
                                            scratch.q.of_slice(s), pitch, scratch.scores, pitch);
    multiply<Tile, Left::rows, Start::zero>(team, step.count(), slice, problem.shape.dim_v, v, scratch.v_pitch,
                                            scratch.dout.of_slice(s), pitch, scratch.dp, pitch);
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, slice / Tile::lane_group),
                         [&](int group) { differentiate(scratch, own, head, s, group * Tile::lane_group, step); });
    team.team_barrier();
    accumulate(team, scratch.lanes, s, step, problem.shape.dim_qk, k, scratch.k_pitch, scratch.dp, scratch.dq, special);
    team.team_barrier();
  }

  KOKKOS_FUNCTION void differentiate(const Scratch& scratch, Residents own, int head, int s, int group,
                                     const SliceStep& step) const {
    const int pitch = scratch.q.pitch(), count = step.count();
    const int base = s * scratch.lanes.slice + group;
    const std::int32_t* first = scratch.lanes.first + base;
    const std::int32_t* last = scratch.lanes.last + base;
    const Real* lse = scratch.lse + base;
    const Real* delta = scratch.delta + base;
    if (pair.dropout.active()) {
      for (int r = 0; r < count; ++r) {
        for (int lane = 0; lane < Tile::lane_group; ++lane) {
          Real& dp = scratch.dp[r * pitch + group + lane];
          dp = pair.dropout.keeps(head, own.begin + base + lane, step.begin + r) ? dp * pair.keep_scale : Real(0);
        }
      }
    }
    for (int r = 0; r < count; ++r) {
      const std::int32_t key = step.begin + r;
      Real* scores = scratch.scores + r * pitch + group;
      Real* dp = scratch.dp + r * pitch + group;
      if (pair.cap > 0) {
        for (int lane = 0; lane < Tile::lane_group; ++lane) {
          pair.apply_capped(scores[lane], dp[lane], lse[lane], delta[lane], (key >= first[lane]) & (key < last[lane]));
        }
      } else {
        for (int lane = 0; lane < Tile::lane_group; ++lane) {
          pair.apply(scores[lane], dp[lane], lse[lane], delta[lane], (key >= first[lane]) & (key < last[lane]));
        }
      }
    }
  }
};

}  // namespace caesura::portable
