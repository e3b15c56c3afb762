// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/backward.hpp"

namespace caesura::cuda::sm80 {

/// dq. Work item: a share of a query tile, one query head; streams keys.
template <class Scalar, int Dim, Features Has>
struct BackwardQ : BackwardInputs {
  static constexpr TileShape shape = backward_tile(Dim);
  static constexpr int threads = 32 * shape.warps;
  static constexpr int blocks_a_processor = 1;
  static_assert(shape.rows == 16 * shape.warps);
  using QTile = SharedTile<shape.rows, Dim>;
  using KVTile = SharedTile<shape.stream, Dim>;
  using Pairs = Sums<1, shape.stream / 8>;
  using Sight = WarpSight<shape.rows, 1>;
  static constexpr std::int32_t shared_bytes = 2 * QTile::bytes + 4 * KVTile::bytes;

  using BackwardInputs::BackwardInputs;

  static std::int64_t blocks(const BackwardProblem& p) {
    return blocks_of(p.rows.schedule, shape.rows, p.shape.heads_q);
  }

  CAESURA_DEVICE void operator()() const {
    const int head_kv = work_item().head / (problem.shape.heads_q / problem.shape.heads_kv);
    const int first_row = ptx::warp_index() * 16;
    const QTile q_tile{ptx::shared_memory()}, dout_tile{q_tile.begin + QTile::bytes};
    const auto k_tile = [&](int stage) { return KVTile{dout_tile.begin + QTile::bytes + stage * 2 * KVTile::bytes}; };
    const auto v_tile = [&](int stage) { return KVTile{k_tile(stage).begin + KVTile::bytes}; };

    float lse[2], delta[2];
    load_statistics(lse, delta, first_row);
    Sums<1, Dim / 8> sums;
    clear(sums);
    Sight sight(problem.rows, problem.shape.heads_q);
    Steps<shape.rows, shape.stream> steps(problem.rows, problem.shape.heads_q, 1, false);
    int stage = 0;
    const auto load = [&] {
      const Step step = steps.current();
      k_tile(stage).template load<threads>(k, step.begin, step.end - step.begin, head_kv);
      v_tile(stage).template load<threads>(v, step.begin, step.end - step.begin, head_kv);
    };
    bool has_step = steps.next();
    if (has_step) {
      const WorkItem item = work_item();
      q_tile.template load<threads>(q, item.begin, item.count, item.head);
      dout_tile.template load_rounded<Scalar, threads>(dout, item.begin, item.count, item.head);
      load();
    }
    ptx::commit_copies();
    while (has_step) {
      const Step step = steps.current();
      const KVTile keys = k_tile(stage), values = v_tile(stage);
      ptx::wait_for_copies<0>();
      // This step's tiles have arrived; those of the step before are read no more.
      const bool is_special = ptx::sync_threads_or(!step.is_full && keys.template has_non_finite<Scalar, threads>());
      stage ^= 1;
      has_step = steps.next();
      if (has_step) load();
      ptx::commit_copies();
      sight.enter(step.layer);
      if (sight.is_empty(step.begin, step.end)) continue;
      Pairs scores, gradients;
      multiply<Scalar>(scores, q_tile, first_row, keys);
      multiply<Scalar>(gradients, dout_tile, first_row, values);
      this->template differentiate<Has>(
          scores, gradients, [&](int, int, int i) { return lse[i / 2]; }, [&](int, int, int i) { return delta[i / 2]; },
          [&](int row, int column) {
            const WorkItem item = work_item();
            return dropout.keeps(item.head, item.begin + first_row + row, step.begin + column);
          });
      const bool is_full = sight.is_full(step.begin, step.begin + shape.stream);
      if (!is_full) hide(gradients, sight, step, 0.0f);
      if (is_special && !is_full) {
        add_visible<Scalar>(sums, gradients, keys, sight, step);
      } else {
        Factors<1, shape.stream / 16> factors;
        round<Scalar>(gradients, factors);
        multiply_add<Scalar>(sums, factors, keys);
      }
    }
    const WorkItem item = work_item();
    const auto write = [&](const auto& join) {
      store<Scalar>(
          sums, dq, item.begin, item.count, first_row, item.head, [&](int, int) { return scale; }, join);
    };
    if (problem.accumulate_q) {
      write(Accumulate());
    } else {
      write(Overwrite());
    }
  }

 private:
  CAESURA_DEVICE WorkItem work_item() const { return WorkItem(problem.rows, shape.rows, problem.shape.heads_q); }

  CAESURA_DEVICE void load_statistics(float (&lse)[2], float (&delta)[2], int first_row) const {
    const WorkItem item = work_item();
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int at = first_row + 8 * j + ptx::lane_index() / 4;
      const bool exists = at < item.count;
      lse[j] = exists ? portable::saved_lse<float>(problem.lse, item.begin + at, item.head) : 0.0f;
      delta[j] = exists ? this->delta()(item.begin + at, item.head) : 0.0f;
    }
  }
};

}  // namespace caesura::cuda::sm80
