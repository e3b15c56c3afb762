// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/launch.hpp"
#include "backends/portable/math.hpp"
#include "backends/portable/multiply.hpp"
#include "backends/portable/row_state.hpp"

// Forward for any Kokkos backend: online softmax over streamed keys, queries in lanes (S^T = K Q^T, O^T = V^T P^T), so
// that maximum, sum and rescaling are vertical operations. Limited by FMA where vectors are wide, else by exp2.
// Online softmax: Milakov & Gimelshein 2018, arXiv:1805.02867.

namespace caesura::portable {

template <class Tile, class Real>
struct ForwardScratch {
  LaneBuffer<Tile, Real> q, out;
  LaneIntervals lanes;
  Real *k, *v;      // (stream, pitch): streamed rows in the accumulator type
  Real* scores;     // (stream, lanes of a slice): S^T, then P^T
  Real *top, *sum;  // by lane: running maximum (log2 units) and sum
  Real* factor;     // by lane: what the step multiplies earlier sums with
  int k_pitch, v_pitch;

  KOKKOS_FUNCTION ForwardScratch(Arena& arena, TileShape shape, int dim_qk, int dim_v)
      : q(arena, dim_qk, shape.resident),
        out(arena, dim_v, shape.resident),
        lanes(arena, shape.resident, Tile::slice_lanes(shape.resident)),
        k_pitch(round_up(dim_qk, Tile::micro_rows)),
        v_pitch(round_up(dim_v, Tile::micro_rows)) {
    // A micro-tile may read and write up to micro_rows - 1 streamed rows past the last one.
    const int rows = shape.stream + Tile::micro_rows;
    k = arena.template take<Real>(rows * k_pitch);
    v = arena.template take<Real>(rows * v_pitch);
    scores = arena.template take<Real>(rows * q.pitch());
    top = arena.template take<Real>(shape.resident);
    sum = arena.template take<Real>(shape.resident);
    factor = arena.template take<Real>(shape.resident);
  }
};

/// Work item: a share of a query tile, one query head.
template <class Space, class Scalar>
struct Forward {
  using Real = accumulator_t<Scalar>;
  using Tile = portable::Tile<Space, Real>;
  using Scratch = ForwardScratch<Tile, Real>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  static constexpr Real minus_infinity = -Kokkos::Experimental::infinity_v<Real>;

  ForwardProblem problem;
  DropoutRule dropout;
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
      for_each_step(schedule, layer, item.tile, scratch.lanes, shape.stream, problem.aligned_steps,
                    [&](TileRange step) {
                      stage<Scalar>(team, problem.k, step, head_kv, attention.dim_qk, scratch.k, scratch.k_pitch);
                      const bool special =
                          stage<Scalar>(team, problem.v, step, head_kv, attention.dim_v, scratch.v, scratch.v_pitch);
                      team.team_barrier();
                      for (int s = 0; s < scratch.lanes.slices; ++s) visit(team, scratch, own, head, s, step, special);
                    });
      team.team_barrier();  // before the next layer's lanes
    }
    store(team, scratch, own, head);
  }

 private:
  KOKKOS_FUNCTION void load(const Member& team, const Scratch& scratch, Residents own, int head) const {
    // Scores come out in log2 units, or as the argument of tanh.
    const double factor = problem.shape.softcap > 0 ? problem.shape.scale / problem.shape.softcap
                                                    : problem.shape.scale * Kokkos::numbers::log2e;
    load_lanes<Scalar>(team, problem.q, own, head, problem.shape.dim_qk, shape.resident, static_cast<Real>(factor),
                       scratch.q);
    if (problem.merge) {
      resume(team, scratch, own, head);
      return;
    }
    clear_lanes(team, shape.resident, scratch.out);
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, shape.resident), [&](int lane) {
      scratch.top[lane] = minus_infinity;
      scratch.sum[lane] = 0;
    });
  }

  KOKKOS_FUNCTION void resume(const Member& team, const Scratch& scratch, Residents own, int head) const {
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, shape.resident), [&](int lane) {
      const RowState<Real> state =
          lane < own.count ? resume_row<Real>(problem, own.begin + lane, head) : RowState<Real>{};
      scratch.top[lane] = state.top;
      scratch.sum[lane] = state.sum;
    });
    load_lanes<Scalar>(team, problem.out, own, head, problem.shape.dim_v, shape.resident, Real(1), scratch.out);
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, shape.resident), [&](int lane) {
      for (int i = 0; i < problem.shape.dim_v; ++i) scratch.out(i, lane) *= scratch.sum[lane];
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
    Real* factor = scratch.factor + s * slice;

    multiply<Tile, Left::rows, Start::zero>(team, step.count(), slice, problem.shape.dim_qk, k, scratch.k_pitch,
                                            scratch.q.of_slice(s), pitch, scratch.scores, pitch);
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, slice / Tile::lane_group),
                         [&](int group) { softmax(scratch, own, head, s, group * Tile::lane_group, step); });
    team.team_barrier();
    if (special && !step.full) {
      Kokkos::parallel_for(Kokkos::TeamVectorRange(team, slice), [&](int lane) {
        for (int i = 0; i < problem.shape.dim_v; ++i) scratch.out.of_slice(s)[i * pitch + lane] *= factor[lane];
      });
      team.team_barrier();
      accumulate_visible(team, scratch.lanes, s, step, problem.shape.dim_v, v, scratch.v_pitch, scratch.scores, pitch,
                         scratch.out.of_slice(s), pitch);
    } else {
      multiply<Tile, Left::columns, Start::scaled>(team, problem.shape.dim_v, slice, step.count(), v, scratch.v_pitch,
                                                   scratch.scores, pitch, scratch.out.of_slice(s), pitch, factor);
    }
    team.team_barrier();
  }

  /// Scores of one group of lanes become weights relative to the lanes' new maxima.
  KOKKOS_FUNCTION void softmax(const Scratch& scratch, Residents own, int head, int s, int group,
                               const SliceStep& step) const {
    constexpr int lanes = Tile::lane_group;
    const int pitch = scratch.q.pitch(), count = step.count();
    const int base = s * scratch.lanes.slice + group;
    Real* const scores = scratch.scores + group;
    if (problem.shape.softcap > 0) cap(scores, pitch, count);
    if (!step.full) {
      const std::int32_t* first = scratch.lanes.first + base;
      const std::int32_t* last = scratch.lanes.last + base;
      for (int r = 0; r < count; ++r) {
        const std::int32_t key = step.begin + r;
        for (int lane = 0; lane < lanes; ++lane) {
          // Loaded in any case: a conditional load would keep the loop from being vectorized.
          const Real score = scores[r * pitch + lane];
          const bool visible = (key >= first[lane]) & (key < last[lane]);
          scores[r * pitch + lane] = visible ? score : minus_infinity;
        }
      }
    }
    Real top[lanes], origin[lanes], sum[lanes];
    for (int lane = 0; lane < lanes; ++lane) top[lane] = scratch.top[base + lane];
    for (int r = 0; r < count; ++r) {
      for (int lane = 0; lane < lanes; ++lane) {
        const Real score = scores[r * pitch + lane];
        top[lane] = score > top[lane] ? score : top[lane];
      }
    }
    for (int lane = 0; lane < lanes; ++lane) {
      const Real before = scratch.top[base + lane];
      origin[lane] = top[lane] == minus_infinity ? Real(0) : top[lane];
      scratch.factor[base + lane] = before == top[lane] ? Real(1) : portable::exp2(before - origin[lane]);
      scratch.top[base + lane] = top[lane];
      sum[lane] = 0;
    }
    for (int r = 0; r < count; ++r) {
      for (int lane = 0; lane < lanes; ++lane) {
        const Real weight = portable::exp2(scores[r * pitch + lane] - origin[lane]);
        sum[lane] += weight;
        scores[r * pitch + lane] = weight;
      }
    }
    // A step's sum is added as a whole: long rows lose fewer bits.
    for (int lane = 0; lane < lanes; ++lane) {
      scratch.sum[base + lane] = scratch.sum[base + lane] * scratch.factor[base + lane] + sum[lane];
    }
    if (dropout.active()) drop(scores, pitch, own.begin + base, head, step);
  }

  KOKKOS_FUNCTION void cap(Real* scores, int pitch, int count) const {
    const auto limit = static_cast<Real>(problem.shape.softcap * Kokkos::numbers::log2e);
    for (int r = 0; r < count; ++r) {
      for (int lane = 0; lane < Tile::lane_group; ++lane) {
        scores[r * pitch + lane] = limit * portable::tanh(scores[r * pitch + lane]);
      }
    }
  }

  KOKKOS_FUNCTION void drop(Real* scores, int pitch, std::int64_t query, int head, const SliceStep& step) const {
    for (int r = 0; r < step.count(); ++r) {
      for (int lane = 0; lane < Tile::lane_group; ++lane) {
        Real& weight = scores[r * pitch + lane];
        weight = dropout.keeps(head, query + lane, step.begin + r) ? weight * static_cast<Real>(dropout.keep_scale())
                                                                   : Real(0);
      }
    }
  }

  KOKKOS_FUNCTION void store(const Member& team, const Scratch& scratch, Residents own, int head) const {
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, own.count), [&](int lane) {
      scratch.factor[lane] = finish_row<Real>(problem, own.begin + lane, head, {scratch.top[lane], scratch.sum[lane]});
    });
    team.team_barrier();
    store_lanes<Scalar>(team, scratch.out, own, problem.shape.dim_v, problem.out, head, false,
                        [&](int lane) { return scratch.factor[lane]; });
  }
};

}  // namespace caesura::portable
