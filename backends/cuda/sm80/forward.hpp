// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/store.hpp"
#include "backends/cuda/sm80/tiles.hpp"
#include "backends/cuda/sm80/visible.hpp"
#include "backends/portable/backward.hpp"
#include "backends/portable/row_state.hpp"

#include <ptx/barrier.hpp>

// Forward on tensor cores by mma.sync and cp.async, for sm_80 and every later chip. A warp keeps 16 or 32 queries: their
// scores and sums never leave its registers. Keys and values stream through shared memory, one of them loading while the
// other is multiplied. Limited by tensor cores at large dims, by exp2 at small ones. FlashAttention-2, Dao 2023,
// arXiv:2307.08691; the work of a block comes from the tile schedule instead.

namespace caesura::cuda::sm80 {

/// Work item: a share of a query tile, one query head.
template <class Scalar, int Dim, Features Has>
struct Forward {
  static constexpr TileShape shape = forward_tile(Dim);
  static constexpr int threads = 32 * shape.warps;
  static constexpr int blocks_a_processor = 1;
  static constexpr int tall = shape.rows / shape.warps / 16;
  static constexpr int score_blocks = shape.stream / 8;
  static constexpr int out_blocks = Dim / 8;
  using QTile = SharedTile<shape.rows, Dim>;
  using KVTile = SharedTile<shape.stream, Dim>;
  using Scores = Sums<tall, score_blocks>;
  using Out = Sums<tall, out_blocks>;
  using Sight = WarpSight<shape.rows, tall>;
  static constexpr float minus_infinity = -Kokkos::Experimental::infinity_v<float>;
  static constexpr std::int32_t statistic_bytes = shape.rows * static_cast<std::int32_t>(sizeof(float));
  static constexpr std::int32_t shared_bytes = QTile::bytes + 2 * KVTile::bytes;

  ForwardProblem problem;
  Tensor q, k, v, out;
  portable::DropoutRule dropout;
  float score_factor;  ///< brings q . k to log2 units, or to the argument of tanh
  float cap;           ///< softcap in log2 units; 0: none

  explicit Forward(const ForwardProblem& p)
      : problem(p),
        q(p.q, p.shape.dim_qk),
        k(p.k, p.shape.dim_qk),
        v(p.v, p.shape.dim_v),
        out(p.out, p.shape.dim_v),
        dropout(p.shape),
        score_factor(portable::PairGradient<float>::score_factor(p.shape)),
        cap(static_cast<float>(p.shape.softcap * Kokkos::numbers::log2e)) {}

  static std::int64_t blocks(const ForwardProblem& p) {
    return blocks_of(p.rows.schedule, shape.rows, p.shape.heads_q);
  }

  /// A lane's rows: the largest score so far in log2 units, and its share of the sum of weights.
  struct State {
    float top[tall][2];
    float sum[tall][2];
  };

  CAESURA_DEVICE void operator()() const {
    const int head_kv = work_item().head / (problem.shape.heads_q / problem.shape.heads_kv);
    const QTile q_tile{ptx::shared_memory()};
    const KVTile k_tile{q_tile.begin + QTile::bytes};
    const KVTile v_tile{k_tile.begin + KVTile::bytes};
    const int first_row = ptx::warp_index() * 16 * tall;

    State state;
    Out sums;
    start(state, sums);
    Sight sight(problem.rows, problem.shape.heads_q);
    Steps<shape.rows, shape.stream> steps(problem.rows, problem.shape.heads_q, 1, problem.aligned_steps);
    bool has_step = steps.next();
    if (has_step) {
      const Step step = steps.current();
      const WorkItem item = work_item();
      q_tile.template load<threads>(q, item.begin, item.count, item.head);
      k_tile.template load<threads>(k, step.begin, step.end - step.begin, head_kv);
    }
    ptx::commit_copies();
    while (has_step) {
      const Step step = steps.current();
      sight.enter(step.layer);
      const bool is_seen = !sight.is_empty(step.begin, step.end);
      Scores scores;
      ptx::wait_for_copies<0>();
      ptx::sync_threads();  // k has arrived; v is read no more
      v_tile.template load<threads>(v, step.begin, step.end - step.begin, head_kv);
      ptx::commit_copies();
      if (is_seen) multiply<Scalar>(scores, q_tile, first_row, k_tile);
      ptx::wait_for_copies<0>();
      // v has arrived; k is read no more
      const bool is_special = sync_and_look(v_tile, step);
      has_step = steps.next();
      if (has_step) {
        const Step next = steps.current();
        k_tile.template load<threads>(k, next.begin, next.end - next.begin, head_kv);
      }
      ptx::commit_copies();
      if (is_seen) {
        softmax(scores, state, sums, sight, step, first_row);
        add_values(sums, scores, v_tile, sight, step, is_special);
      }
    }
    finish(state, sums, first_row);
  }

 private:
  CAESURA_DEVICE WorkItem work_item() const { return WorkItem(problem.rows, shape.rows, problem.shape.heads_q); }

  /// A block-wide barrier, and whether the tile, arrived, holds an infinity or NaN that a row might not see.
  CAESURA_DEVICE bool sync_and_look(const KVTile& tile, const Step& step) const {
    if (!step.is_full) return ptx::sync_threads_or(tile.template has_non_finite<Scalar, threads>());
    ptx::sync_threads();
    return false;
  }

  CAESURA_DEVICE static void start(State& state, Out& sums) {
    clear(sums);
#pragma unroll
    for (int m = 0; m < tall; ++m) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        state.top[m][j] = minus_infinity;
        state.sum[m][j] = 0;
      }
    }
  }

  /// Scores become weights relative to the rows' new maxima.
  CAESURA_DEVICE void softmax(Scores& scores, State& state, Out& sums, const Sight& sight, const Step& step,
                              int first_row) const {
    float factor = score_factor;
    if constexpr (Has == Features::all) {
      // Also for scales below zero: further down the largest product is taken for the largest score.
      for_each_sum<tall, score_blocks>([&](int m, int n, int i, int, int) {
        const float score = scores[m][n][i] * score_factor;
        scores[m][n][i] = cap > 0 ? cap * portable::tanh(score) : score;
      });
      factor = 1;
    }
    if (!sight.is_full(step.begin, step.begin + shape.stream)) hide(scores, sight, step, minus_infinity);
#pragma unroll
    for (int m = 0; m < tall; ++m) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        float largest = minus_infinity;
#pragma unroll
        for (int n = 0; n < score_blocks; ++n) {
          largest = Kokkos::fmax(largest, Kokkos::fmax(scores[m][n][2 * j], scores[m][n][2 * j + 1]));
        }
        largest = Kokkos::fmax(largest, ptx::shuffle_xor(largest, 1));
        largest = Kokkos::fmax(largest, ptx::shuffle_xor(largest, 2));
        const float before = state.top[m][j];
        const float top = Kokkos::fmax(before, largest * factor);
        const float origin = top == minus_infinity ? 0.0f : top;
        const float rescale = before == top ? 1.0f : ptx::exp2_approximate(before - origin);
        state.top[m][j] = top;
        float sum = 0;
#pragma unroll
        for (int n = 0; n < score_blocks; ++n) {
#pragma unroll
          for (int i = 2 * j; i < 2 * j + 2; ++i) {
            scores[m][n][i] = ptx::exp2_approximate(scores[m][n][i] * factor - origin);
            sum += scores[m][n][i];
          }
        }
        state.sum[m][j] = state.sum[m][j] * rescale + sum;
#pragma unroll
        for (int n = 0; n < out_blocks; ++n) {
          sums[m][n][2 * j] *= rescale;
          sums[m][n][2 * j + 1] *= rescale;
        }
      }
    }
    if constexpr (Has == Features::all) {
      if (!dropout.active()) return;
      const WorkItem item = work_item();
      for_each_sum<tall, score_blocks>([&](int m, int n, int i, int row, int column) {
        const bool is_kept = dropout.keeps(item.head, item.begin + first_row + row, step.begin + column);
        scores[m][n][i] = is_kept ? scores[m][n][i] * static_cast<float>(dropout.keep_scale()) : 0.0f;
      });
    }
  }

  CAESURA_DEVICE void add_values(Out& sums, const Scores& scores, const KVTile& v_tile, const Sight& sight,
                                 const Step& step, bool is_special) const {
    if (is_special && !sight.is_full(step.begin, step.begin + shape.stream)) {
      add_visible<Scalar>(sums, scores, v_tile, sight, step);
      return;
    }
    Factors<tall, score_blocks / 2> weights;
    round<Scalar>(scores, weights);
    multiply_add<Scalar>(sums, weights, v_tile);
  }

  /// Calls `body(m, j, row)` for each row of the lane's sums, by its place in the warp's share.
  template <class Body>
  CAESURA_DEVICE static void for_each_row(const Body& body) {
#pragma unroll
    for (int m = 0; m < tall; ++m) {
#pragma unroll
      for (int j = 0; j < 2; ++j) body(m, j, 16 * m + 8 * j + ptx::lane_index() / 4);
    }
  }

  /// What a row's sums and its earlier out count in its out.
  struct RowFactors {
    float now = 0, before = 0;
  };

  /// Writes lse and row_max of a row.
  CAESURA_DEVICE RowFactors finish_row(const WorkItem& item, int at, float top, float sum) const {
    const std::int64_t row = item.begin + at;
    portable::RowState<float> old;
    if (problem.merge) old = portable::resume_row<float>(problem, row, item.head);
    const float highest = Kokkos::fmax(top, old.top);
    const float origin = highest == minus_infinity ? 0.0f : highest;
    const float now = sum == 0 ? 0.0f : portable::exp2(top - origin);
    const float before = old.sum == 0 ? 0.0f : old.sum * portable::exp2(old.top - origin);
    const float scale = portable::finish_row<float>(problem, row, item.head, {highest, sum * now + before});
    return {now * scale, before * scale};
  }

  /// Joins what the rows' earlier results hold, and writes out, lse and row_max. A thread finishes a row: what its lanes
  /// know of it goes through the memory of the queries, which nobody reads any more.
  CAESURA_DEVICE void finish(const State& state, const Out& sums, int first_row) const {
    static_assert(shape.rows <= threads && QTile::bytes >= 4 * statistic_bytes);
    const WorkItem item = work_item();
    const int lane = ptx::lane_index();
    const auto statistic = [](int which, int row) {
      return ptx::shared_memory() + static_cast<std::uint32_t>(which * statistic_bytes + row * 4);
    };
    for_each_row([&](int m, int j, int row) {
      float sum = state.sum[m][j];  // the four lanes of a row share it
      sum += ptx::shuffle_xor(sum, 1);
      sum += ptx::shuffle_xor(sum, 2);
      if (lane % 4 == 0) {
        ptx::store_shared(statistic(0, first_row + row), state.top[m][j]);
        ptx::store_shared(statistic(1, first_row + row), sum);
      }
    });
    ptx::sync_threads();
    if (const int row = ptx::thread_index(); row < shape.rows) {
      RowFactors factors;
      if (row < item.count) {
        factors = finish_row(item, row, ptx::load_shared<float>(statistic(0, row)),
                             ptx::load_shared<float>(statistic(1, row)));
      }
      ptx::store_shared(statistic(2, row), factors.now);
      ptx::store_shared(statistic(3, row), factors.before);
    }
    ptx::sync_threads();
    float factor[tall][2];
    Mix<tall> earlier;
    for_each_row([&](int m, int j, int row) {
      factor[m][j] = ptx::load_shared<float>(statistic(2, first_row + row));
      earlier.weight[m][j] = ptx::load_shared<float>(statistic(3, first_row + row));
    });
    const auto write = [&](const auto& join) {
      store<Scalar>(
          sums, out, item.begin, item.count, first_row, item.head, [&](int m, int j) { return factor[m][j]; }, join);
    };
    if (problem.merge) {
      write(earlier);
    } else {
      write(Overwrite());
    }
  }
};

}  // namespace caesura::cuda::sm80
