// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/query_sums.hpp"

namespace caesura::cuda::sm80 {

/// What a pass over the keys writes.
enum class KeyGradients { both, keys, values };

/// Whether a pass over the keys that writes dk adds to dq too, in whatever order blocks come.
enum class QueryGradients { left_out, added };

/// dk, dv. Work item: a share of a key tile, one key head; streams the queries of all heads that read it, in order.
template <class Scalar, int Dim, Features Has, KeyGradients Writes, QueryGradients Queries = QueryGradients::left_out>
struct BackwardKV : BackwardInputs {
  static constexpr TileShape shape = backward_tile(Dim);
  static constexpr int threads = 32 * shape.warps;
  static constexpr int blocks_a_processor = 1;
  static_assert(shape.rows == 16 * shape.warps);
  static constexpr bool writes_dk = Writes != KeyGradients::values;
  static constexpr bool writes_dv = Writes != KeyGradients::keys;
  static constexpr bool adds_dq = Queries == QueryGradients::added;
  static_assert(writes_dk || !adds_dq);
  using Product = QueryProduct<Scalar, shape.rows, shape.stream, Dim, shape.warps>;
  using KVTile = SharedTile<shape.rows, Dim>;
  using QTile = SharedTile<shape.stream, Dim>;
  using Pairs = Sums<1, shape.stream / 8>;
  using Sight = WarpSight<shape.rows, 1>;
  /// lse and delta of the streamed queries, behind their tiles.
  static constexpr std::int32_t statistic_bytes = shape.stream * static_cast<std::int32_t>(sizeof(float));
  /// The tiles of q and dout, where in the end the gradients of scores lie.
  static constexpr std::int32_t tile_bytes =
      adds_dq && Product::GradientTile::bytes > 2 * QTile::bytes ? Product::GradientTile::bytes : 2 * QTile::bytes;
  static constexpr std::int32_t stage_bytes = tile_bytes + 2 * statistic_bytes;
  static constexpr std::int32_t shared_bytes = 2 * KVTile::bytes + 2 * stage_bytes;

  QuerySums query_sums;

  explicit BackwardKV(const BackwardProblem& p) : BackwardInputs(p), query_sums(p) {}

  static std::int64_t blocks(const BackwardProblem& p) {
    return blocks_of(p.columns.schedule, shape.rows, p.shape.heads_kv);
  }

  CAESURA_DEVICE void operator()() const {
    const int group = problem.shape.heads_q / problem.shape.heads_kv;
    const int first_row = ptx::warp_index() * 16;
    const KVTile k_tile{ptx::shared_memory()}, v_tile{k_tile.begin + KVTile::bytes};
    const auto q_tile = [&](int stage) { return QTile{v_tile.begin + KVTile::bytes + stage * stage_bytes}; };
    const auto dout_tile = [&](int stage) { return QTile{q_tile(stage).begin + QTile::bytes}; };
    const auto lse_of = [&](int stage) { return q_tile(stage).begin + tile_bytes; };
    const auto delta_of = [&](int stage) { return lse_of(stage) + statistic_bytes; };

    Sums<1, Dim / 8> dk_sums, dv_sums;
    if constexpr (writes_dk) clear(dk_sums);
    if constexpr (writes_dv) clear(dv_sums);
    Sight sight(problem.columns, problem.shape.heads_kv);
    Steps<shape.rows, shape.stream> steps(problem.columns, problem.shape.heads_kv, group, false);
    int stage = 0;
    const auto load = [&] {
      const Step step = steps.current();
      const int head = work_item().head * group + step.head;
      q_tile(stage).template load<threads>(q, step.begin, step.end - step.begin, head);
      dout_tile(stage).template load_rounded<Scalar, threads>(dout, step.begin, step.end - step.begin, head);
      load_statistics(step, head, lse_of(stage), delta_of(stage));
    };
    bool has_step = steps.next();
    if (has_step) {
      const WorkItem item = work_item();
      k_tile.template load<threads>(k, item.begin, item.count, item.head);
      if constexpr (writes_dk) v_tile.template load<threads>(v, item.begin, item.count, item.head);
      load();
    }
    ptx::commit_copies();
    bool has_special_keys = false, knows_keys = false;
    while (has_step) {
      const Step step = steps.current();
      const QTile queries = q_tile(stage), douts = dout_tile(stage);
      const ptx::SharedAddress lse = lse_of(stage), delta = delta_of(stage);
      ptx::wait_for_copies<0>();
      // This step's tiles have arrived; those of the step before are read no more.
      const bool is_special =
          ptx::sync_threads_or(!step.is_full && (queries.template has_non_finite<Scalar, threads>() ||
                                                 douts.template has_non_finite<Scalar, threads>()));
      stage ^= 1;
      has_step = steps.next();
      if (has_step) load();
      ptx::commit_copies();
      if constexpr (adds_dq) {
        if (!knows_keys) has_special_keys = ptx::sync_threads_or(k_tile.template has_non_finite<Scalar, threads>());
        knows_keys = true;
      }
      sight.enter(step.layer);
      Pairs scores, gradients;
      const bool is_seen = !sight.is_empty(step.begin, step.end);
      if (is_seen) {
        multiply<Scalar>(scores, k_tile, first_row, queries);
        if constexpr (writes_dk) {
          multiply<Scalar>(gradients, v_tile, first_row, douts);
        } else {
          clear(gradients);
        }
        const auto statistic = [](ptx::SharedAddress from) {
          return [from](int, int n, int i) {
            const int column = 8 * n + ptx::lane_index() % 4 * 2 + i % 2;
            return ptx::load_shared<float>(from + static_cast<std::uint32_t>(column) * 4);
          };
        };
        this->template differentiate<Has>(
            scores, gradients, statistic(lse), statistic(delta), [&](int row, int column) {
              const WorkItem item = work_item();
              return dropout.keeps(item.head * group + step.head, step.begin + column, item.begin + first_row + row);
            });
        const bool is_full = sight.is_full(step.begin, step.begin + shape.stream);
        if constexpr (writes_dv) {
          if (!is_full) hide(scores, sight, step, 0.0f);
          add(dv_sums, scores, douts, sight, step, is_special && !is_full);
        }
        if constexpr (writes_dk) {
          if (!is_full) hide(gradients, sight, step, 0.0f);
          add(dk_sums, gradients, queries, sight, step, is_special && !is_full);
        }
      }
      if constexpr (adds_dq) {
        if (!is_seen) clear(gradients);
        const typename Product::GradientTile tile{queries.begin};
        ptx::sync_threads();  // q and dout are read no more
        Product::put(tile, gradients, first_row);
        ptx::sync_threads();
        const WorkItem item = work_item();
        Product::add(query_sums, tile, k_tile, problem.columns.intervals, item.begin, step,
                     item.head * group + step.head, has_special_keys);
      }
    }
    if constexpr (writes_dk) write(dk_sums, dk, first_row, scale);
    if constexpr (writes_dv) write(dv_sums, dv, first_row, 1.0f);
  }

 private:
  CAESURA_DEVICE WorkItem work_item() const { return WorkItem(problem.columns, shape.rows, problem.shape.heads_kv); }

  CAESURA_DEVICE void load_statistics(const Step& step, int head, ptx::SharedAddress lse,
                                      ptx::SharedAddress delta) const {
    const int i = ptx::thread_index();
    if (i >= shape.stream) return;
    const bool exists = step.begin + i < step.end;
    const auto at = static_cast<std::uint32_t>(i) * 4;
    ptx::store_shared(lse + at, exists ? portable::saved_lse<float>(problem.lse, step.begin + i, head) : 0.0f);
    ptx::store_shared(delta + at, exists ? this->delta()(step.begin + i, head) : 0.0f);
  }

  CAESURA_DEVICE static void add(Sums<1, Dim / 8>& sums, const Pairs& pairs, const QTile& tile, const Sight& sight,
                                 const Step& step, bool is_special) {
    if (is_special) {
      add_visible<Scalar>(sums, pairs, tile, sight, step);
      return;
    }
    Factors<1, shape.stream / 16> factors;
    round<Scalar>(pairs, factors);
    multiply_add<Scalar>(sums, factors, tile);
  }

  CAESURA_DEVICE void write(const Sums<1, Dim / 8>& sums, const Tensor& to, int first_row, float factor) const {
    const WorkItem item = work_item();
    const auto with = [&](const auto& join) {
      store<Scalar>(
          sums, to, item.begin, item.count, first_row, item.head, [&](int, int) { return factor; }, join);
    };
    if (problem.accumulate) {
      with(Accumulate());
    } else {
      with(Overwrite());
    }
  }
};

}  // namespace caesura::cuda::sm80
