// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/launch.hpp"
#include "backends/portable/math.hpp"
#include "backends/portable/multiply.hpp"

// Backward for any Kokkos backend, in two passes that own what they write, so that no atomics are needed and every sum
// has a fixed order: `BackwardQ` keeps queries in lanes and streams keys past them (dq), `BackwardKV` keeps keys in
// lanes and streams queries (dk, dv). Both recompute the weights from the saved log-sum-exp:
//   p = exp(s - lse),  ds = p * (dp - delta),  dp = dout v^T,  delta = rowsum(dout * out)
// Dao et al. 2022, arXiv:2205.14135. Seven products where one pass with atomics would take five.

namespace caesura::portable {

/// `delta (heads_q, total_q)` in the workspace.
template <class Real>
struct DeltaRef {
  Real* data = nullptr;
  std::int64_t rows = 0;

  KOKKOS_FUNCTION Real& operator()(std::int64_t row, std::int64_t head) const { return data[head * rows + row]; }
};

/// delta = rowsum(dout * out). Work item: some rows, all heads.
template <class Space, class Scalar>
struct BackwardDelta {
  using Real = accumulator_t<Scalar>;
  using Tile = portable::Tile<Space, Real>;
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;
  static constexpr int rows_per_item = 64;

  BackwardProblem problem;

  KOKKOS_FUNCTION void operator()(const Member& team) const {
    const DeltaRef<Real> delta{static_cast<Real*>(problem.workspace), problem.shape.total_q};
    const std::int64_t begin = std::int64_t{team.league_rank()} * rows_per_item;
    const auto count = static_cast<int>(Kokkos::min<std::int64_t>(rows_per_item, problem.shape.total_q - begin));
    const int heads = problem.shape.heads_q;
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, count * heads), [&](int i) {
      const std::int64_t row = begin + i / heads;
      const int head = i % heads;
      Real sum = 0;
      with_type<Scalar>(problem.dout, [&](auto dout_type) {
        const auto* dout = row_of<decltype(dout_type)>(problem.dout, row, head);
        with_type<Scalar>(problem.out, [&](auto out_type) {
          const auto* out = row_of<decltype(out_type)>(problem.out, row, head);
          Kokkos::parallel_reduce(
              Kokkos::ThreadVectorRange(team, problem.shape.dim_v),
              [&](int d, Real& part) { part += static_cast<Real>(dout[d]) * static_cast<Real>(out[d]); }, sum);
        });
      });
      Kokkos::single(Kokkos::PerThread(team), [&] { delta(row, head) = sum; });
    });
  }
};

/// dsink = -sum over rows of exp(sink - lse) * delta, in double, rows in order. Work item: a head.
template <class Space, class Real>
struct BackwardSink {
  using Member = typename Kokkos::TeamPolicy<Space, Kokkos::Schedule<Kokkos::Dynamic>>::member_type;

  BackwardProblem problem;

  KOKKOS_FUNCTION void operator()(const Member& team) const {
    const DeltaRef<Real> delta{static_cast<Real*>(problem.workspace), problem.shape.total_q};
    const int head = team.league_rank();
    const SinkRef& sink = problem.shape.sink;
    for (std::int32_t j = 0; j < sink.count; ++j) {
      const double logit = static_cast<const Real*>(sink.data)[head * sink.head_stride + j * sink.sink_stride];
      double sum = 0;
      Kokkos::parallel_reduce(
          Kokkos::TeamVectorRange(team, problem.shape.total_q),
          [&](std::int64_t row, double& part) {
            const double lse = static_cast<const Real*>(problem.lse.data)[problem.lse.offset(row, head)];
            const double weight = logit == -Kokkos::Experimental::infinity_v<double> ? 0 : Kokkos::exp(logit - lse);
            part -= weight * delta(row, head);
          },
          sum);
      Kokkos::single(Kokkos::PerTeam(team), [&] {
        Real& to = static_cast<Real*>(problem.dsink)[head * problem.dsink_head_stride + j * problem.dsink_sink_stride];
        to = static_cast<Real>(problem.accumulate ? to + sum : sum);
      });
    }
  }
};

/// What one pair contributes, shared by both passes.
template <class Real>
struct PairGradient {
  Real cap;  ///< softcap in log2 units; 0: none
  Real keep_scale;
  DropoutRule dropout;

  explicit PairGradient(const AttentionShape& shape)
      : cap(static_cast<Real>(shape.softcap * Kokkos::numbers::log2e)),
        keep_scale(static_cast<Real>(shape.dropout.keep_scale)),
        dropout(shape) {}

  /// The factor that brings q . k to log2 units, or to the argument of tanh.
  static Real score_factor(const AttentionShape& shape) {
    return static_cast<Real>(shape.softcap > 0 ? shape.scale / shape.softcap : shape.scale * Kokkos::numbers::log2e);
  }

  /// \p score and \p dp become the weight after dropout and ds (without the scale); both 0 where not visible.
  /// \p lse in log2 units, +inf for rows that see nothing.
  KOKKOS_FORCEINLINE_FUNCTION void apply(Real& score, Real& dp, Real lse, Real delta, bool visible) const {
    const Real weight = exp2(score - lse);
    const Real ds = weight * (dp - delta);
    score = visible ? weight : Real(0);
    dp = visible ? ds : Real(0);
  }
  /// The same under a softcap, whose slope is 1 - tanh^2.
  KOKKOS_FORCEINLINE_FUNCTION void apply_capped(Real& score, Real& dp, Real lse, Real delta, bool visible) const {
    const Real t = tanh(score);
    const Real weight = exp2(cap * t - lse);
    const Real ds = weight * (dp - delta) * (Real(1) - t * t);
    score = visible ? weight : Real(0);
    dp = visible ? ds : Real(0);
  }
};

/// The saved log-sum-exp in log2 units; rows that saw nothing get +inf, which makes every weight 0.
template <class Real>
KOKKOS_FUNCTION Real saved_lse(const TensorRef& lse, std::int64_t row, int head) {
  constexpr Real infinity = Kokkos::Experimental::infinity_v<Real>;
  const Real value = static_cast<const Real*>(lse.data)[lse.offset(row, head)];
  return value == -infinity ? infinity : value * static_cast<Real>(Kokkos::numbers::log2e);
}

/// Adds `a^T b` over the streamed rows of a step to a lane buffer; see `accumulate_visible` for \p special.
template <class Tile, class Member, class Real>
KOKKOS_FUNCTION void accumulate(const Member& team, const LaneIntervals& lanes, int s, const SliceStep& step, int dim,
                                const Real* a, int a_pitch, const Real* b, const LaneBuffer<Tile, Real>& c,
                                bool special) {
  const int pitch = c.pitch();
  if (special && !step.full) {
    accumulate_visible(team, lanes, s, step, dim, a, a_pitch, b, pitch, c.of_slice(s), pitch);
  } else {
    multiply<Tile, Left::columns, Start::keep>(team, dim, lanes.slice, step.count(), a, a_pitch, b, pitch,
                                               c.of_slice(s), pitch);
  }
}

}  // namespace caesura::portable
