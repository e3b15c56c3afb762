// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/store.hpp"
#include "backends/cuda/sm80/tiles.hpp"
#include "backends/cuda/sm80/visible.hpp"
#include "backends/portable/backward.hpp"

#include <ptx/barrier.hpp>

// Backward on tensor cores by mma.sync and cp.async, for sm_80 and every later chip: two passes that own what they write,
// as the portable kernel has them, so that the same bits come out of every run. `BackwardQ` keeps queries and streams keys
// (dq), `BackwardKV` keeps keys and streams queries (dk, dv). A warp keeps 16 rows; weights and their gradients never leave
// its registers, because sums of one product are the left factors of the next. Limited by tensor cores: seven products
// where one pass with atomics takes five. FlashAttention-2, Dao 2023, arXiv:2307.08691.

namespace caesura::cuda::sm80 {

/// The tensors and factors that both passes share.
struct BackwardInputs {
  BackwardProblem problem;
  Tensor q, k, v, dout, dq, dk, dv;
  portable::DropoutRule dropout;
  float score_factor;  ///< brings q . k to log2 units, or to the argument of tanh
  float cap;           ///< softcap in log2 units; 0: none
  float scale;
  float keep_scale;

  explicit BackwardInputs(const BackwardProblem& p)
      : problem(p),
        q(p.q, p.shape.dim_qk),
        k(p.k, p.shape.dim_qk),
        v(p.v, p.shape.dim_v),
        dout(p.dout, p.shape.dim_v),
        dq(p.dq, p.shape.dim_qk),
        dk(p.dk, p.shape.dim_qk),
        dv(p.dv, p.shape.dim_v),
        dropout(p.shape),
        score_factor(portable::PairGradient<float>::score_factor(p.shape)),
        cap(static_cast<float>(p.shape.softcap * Kokkos::numbers::log2e)),
        scale(static_cast<float>(p.shape.scale)),
        keep_scale(static_cast<float>(p.shape.dropout.keep_scale)) {}

  CAESURA_DEVICE portable::DeltaRef<float> delta() const {
    return {static_cast<float*>(problem.workspace), problem.shape.total_q};
  }

  /// Scores become the weights that the forward multiplied with, gradients of weights become those of scores, without the
  /// scale. \p lse and \p delta map a sum (m, n, i) to its query's; \p keeps (row, column) to what dropout keeps.
  template <Features Has, int Tall, int Wide, class Lse, class Delta, class Keeps>
  CAESURA_DEVICE void differentiate(Sums<Tall, Wide>& scores, Sums<Tall, Wide>& gradients, const Lse& lse,
                                    const Delta& delta, const Keeps& keeps) const {
    for_each_sum<Tall, Wide>([&](int m, int n, int i, int row, int column) {
      float& score = scores[m][n][i];
      float& gradient = gradients[m][n][i];
      if constexpr (Has == Features::plain) {
        score = ptx::exp2_approximate(score * score_factor - lse(m, n, i));
        gradient = score * (gradient - delta(m, n, i));
      } else {
        const float logit = score * score_factor;
        const float t = cap > 0 ? portable::tanh(logit) : 0.0f;
        const float weight = ptx::exp2_approximate((cap > 0 ? cap * t : logit) - lse(m, n, i));
        const bool is_kept = !dropout.active() || keeps(row, column);
        const float factor = is_kept ? keep_scale : 0.0f;
        gradient = weight * (is_kept ? gradient * factor - delta(m, n, i) : -delta(m, n, i)) * (1.0f - t * t);
        score = is_kept ? weight * factor : 0.0f;
      }
    });
  }
};

}  // namespace caesura::cuda::sm80
