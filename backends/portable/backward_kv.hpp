// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/backward.hpp"

namespace caesura::portable {

template <class Tile, class Real>
struct BackwardKVScratch {
  LaneBuffer<Tile, Real> k, v, dk, dv;
  LaneIntervals lanes;
  Real *q, *dout;     // (stream, pitch)
  Real *scores, *dp;  // (stream, lanes of a slice): S then P, and dP then dS
  Real *lse, *delta;  // by streamed row
  int q_pitch, dout_pitch;

  KOKKOS_FUNCTION BackwardKVScratch(Arena& arena, TileShape shape, int dim_qk, int dim_v)
      : k(arena, dim_qk, shape.resident),
        v(arena, dim_v, shape.resident),
        dk(arena, dim_qk, shape.resident),
        dv(arena, dim_v, shape.resident),
        lanes(arena, shape.resident, Tile::slice_lanes(shape.resident)),
        q_pitch(round_up(dim_qk, Tile::micro_rows)),
        dout_pitch(round_up(dim_v, Tile::micro_rows)) {
    const int rows = shape.stream + Tile::micro_rows;
    q = arena.template take<Real>(rows * q_pitch);
    dout = arena.template take<Real>(rows * dout_pitch);
    scores = arena.template take<Real>(rows * k.pitch());
    dp = arena.template take<Real>(rows * k.pitch());
    lse = arena.template take<Real>(shape.stream);
    delta = arena.template take<Real>(shape.stream);
  }
};

/// dk, dv. Work item: a share of a key tile, one key head; streams the queries of all heads that read it, in order.
template <class Space, class Scalar>
struct BackwardKV {
  using Real = accumulator_t<Scalar>;
  using Tile = portable::Tile<Space, Real>;
  using Scratch = BackwardKVScratch<Tile, Real>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;

  BackwardProblem problem;
  PairGradient<Real> pair;
  Real score_factor;
  TileShape shape;
  std::int64_t scratch_bytes;

  KOKKOS_FUNCTION void operator()(const Member& team) const {
    const AttentionShape& attention = problem.shape;
    const TileSchedule& schedule = problem.columns.schedule;
    const WorkItem item(team.league_rank(), schedule, shape.resident, attention.heads_kv, attention.total_k);
    const Residents own = item.own;
    const int head_kv = item.head;
    const int group = attention.heads_q / attention.heads_kv;
    if (own.count == 0) return;

    Arena arena(scratch_of<Tile>(team, scratch_bytes));
    const Scratch scratch(arena, shape, attention.dim_qk, attention.dim_v);
    load_lanes<Scalar>(team, problem.k, own, head_kv, attention.dim_qk, shape.resident, score_factor, scratch.k);
    load_lanes<Scalar>(team, problem.v, own, head_kv, attention.dim_v, shape.resident, Real(1), scratch.v);
    clear_lanes(team, shape.resident, scratch.dk);
    clear_lanes(team, shape.resident, scratch.dv);
    team.team_barrier();
    for (std::int32_t layer = 0; layer < problem.columns.intervals.layers; ++layer) {
      scratch.lanes.load(team, problem.columns.intervals, layer, own);
      for (int head = head_kv * group; head < (head_kv + 1) * group; ++head) {
        for_each_step(schedule, layer, item.tile, scratch.lanes, shape.stream, false,
                      [&](TileRange step) { visit_all(team, scratch, own, head, step); });
      }
      team.team_barrier();
    }
    const auto scale = [&](int) { return static_cast<Real>(attention.scale); };
    const auto one = [](int) { return Real(1); };
    store_lanes<Scalar>(team, scratch.dk, own, attention.dim_qk, problem.dk, head_kv, problem.accumulate, scale);
    store_lanes<Scalar>(team, scratch.dv, own, attention.dim_v, problem.dv, head_kv, problem.accumulate, one);
  }

 private:
  KOKKOS_FUNCTION void visit_all(const Member& team, const Scratch& scratch, Residents own, int head,
                                 TileRange step) const {
    const AttentionShape& attention = problem.shape;
    const bool special_q = stage<Scalar>(team, problem.q, step, head, attention.dim_qk, scratch.q, scratch.q_pitch);
    const bool special_dout =
        stage<Scalar>(team, problem.dout, step, head, attention.dim_v, scratch.dout, scratch.dout_pitch);
    const DeltaRef<Real> delta{static_cast<Real*>(problem.workspace), attention.total_q};
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, step.end - step.begin), [&](int r) {
      scratch.lse[r] = saved_lse<Real>(problem.lse, step.begin + r, head);
      scratch.delta[r] = delta(step.begin + r, head);
    });
    team.team_barrier();
    for (int s = 0; s < scratch.lanes.slices; ++s) visit(team, scratch, own, head, s, step, special_q, special_dout);
  }

  KOKKOS_FUNCTION void visit(const Member& team, const Scratch& scratch, Residents own, int head, int s, TileRange all,
                             bool special_q, bool special_dout) const {
    const SliceStep step(scratch.lanes, s, all);
    if (step.empty()) return;
    const int slice = scratch.lanes.slice, pitch = scratch.k.pitch();
    const int skipped = step.begin - all.begin;
    const Real* q = scratch.q + std::int64_t{skipped} * scratch.q_pitch;
    const Real* dout = scratch.dout + std::int64_t{skipped} * scratch.dout_pitch;
    multiply<Tile, Left::rows, Start::zero>(team, step.count(), slice, problem.shape.dim_qk, q, scratch.q_pitch,
                                            scratch.k.of_slice(s), pitch, scratch.scores, pitch);
    multiply<Tile, Left::rows, Start::zero>(team, step.count(), slice, problem.shape.dim_v, dout, scratch.dout_pitch,
                                            scratch.v.of_slice(s), pitch, scratch.dp, pitch);
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, slice / Tile::lane_group), [&](int group) {
      differentiate(scratch, own, head, s, group * Tile::lane_group, step, skipped);
    });
    team.team_barrier();
    accumulate(team, scratch.lanes, s, step, problem.shape.dim_v, dout, scratch.dout_pitch, scratch.scores, scratch.dv,
               special_dout);
    accumulate(team, scratch.lanes, s, step, problem.shape.dim_qk, q, scratch.q_pitch, scratch.dp, scratch.dk,
               special_q);
    team.team_barrier();
  }

  KOKKOS_FUNCTION void differentiate(const Scratch& scratch, Residents own, int head, int s, int group,
                                     const SliceStep& step, int skipped) const {
    const int pitch = scratch.k.pitch(), count = step.count();
    const int base = s * scratch.lanes.slice + group;
    const std::int32_t* first = scratch.lanes.first + base;
    const std::int32_t* last = scratch.lanes.last + base;
    for (int r = 0; r < count; ++r) {
      const std::int32_t query = step.begin + r;
      const Real lse = scratch.lse[skipped + r], delta = scratch.delta[skipped + r];
      Real* scores = scratch.scores + r * pitch + group;
      Real* dp = scratch.dp + r * pitch + group;
      if (pair.dropout.active()) {
        for (int lane = 0; lane < Tile::lane_group; ++lane) {
          dp[lane] = pair.dropout.keeps(head, query, own.begin + base + lane) ? dp[lane] * pair.keep_scale : Real(0);
        }
      }
      if (pair.cap > 0) {
        for (int lane = 0; lane < Tile::lane_group; ++lane) {
          pair.apply_capped(scores[lane], dp[lane], lse, delta, (query >= first[lane]) & (query < last[lane]));
        }
      } else {
        for (int lane = 0; lane < Tile::lane_group; ++lane) {
          pair.apply(scores[lane], dp[lane], lse, delta, (query >= first[lane]) & (query < last[lane]));
        }
      }
      // dv takes the weights that the forward used.
      if (pair.dropout.active()) {
        for (int lane = 0; lane < Tile::lane_group; ++lane) {
          scores[lane] =
              pair.dropout.keeps(head, query, own.begin + base + lane) ? scores[lane] * pair.keep_scale : Real(0);
        }
      }
    }
  }
};

}  // namespace caesura::portable
