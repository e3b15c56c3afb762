// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/backward.hpp"

#include <ptx/reduce.hpp>

namespace caesura::cuda::sm80 {

/// dq of `SumOrder::any`: (total_q, heads_q, dim_qk) floats in the workspace.
struct QuerySums {
  float* data = nullptr;
  std::int64_t heads = 0, dim = 0;

  explicit QuerySums(const BackwardProblem& p) : heads(p.shape.heads_q), dim(p.shape.dim_qk) {
    const std::int64_t before = (p.shape.total_q * p.shape.heads_q + 3) / 4 * 4;
    data = static_cast<float*>(p.workspace) + before;
  }
  KOKKOS_FUNCTION float& operator()(std::int64_t row, std::int64_t head, std::int64_t column) const {
    return data[(row * heads + head) * dim + column];
  }
};

/// What a block that keeps keys adds to dq of streamed queries: `dS K`. Each warp has gradients of scores for its 16 keys;
/// through shared memory every warp gets those of all keys for 16 queries, and multiplies them with some columns of K.
template <class Scalar, int Keys, int Queries, int Dim, int Warps>
struct QueryProduct {
  using KeyTile = SharedTile<Keys, Dim>;
  using GradientTile = SharedTile<Keys, Queries>;  ///< dS^T
  static constexpr int column_groups = Warps / (Queries / 16);
  static constexpr int wide = Dim / column_groups / 8;
  static_assert(Warps % (Queries / 16) == 0 && wide * column_groups * 8 == Dim && wide % 2 == 0);

  /// The warp's 16 rows of dS^T, from \p first_row, rounded.
  CAESURA_DEVICE static void put(const GradientTile& to, const Sums<1, Queries / 8>& gradients, int first_row) {
    const int lane = ptx::lane_index();
#pragma unroll
    for (int n = 0; n < Queries / 8; ++n) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        ptx::store_shared(to.chunk(first_row + lane / 4 + 8 * j, n) + static_cast<std::uint32_t>(lane % 4 * 4),
                          ptx::pack<Scalar>(gradients[0][n][2 * j], gradients[0][n][2 * j + 1]));
      }
    }
  }

  /// Adds the warp's part for the queries of the step. \p intervals are those of the keys, of which the block's begin at
  /// row \p begin.
  CAESURA_DEVICE static void add(const QuerySums& to, const GradientTile& gradients, const KeyTile& keys,
                                 const RowIntervals& intervals, std::int64_t begin, const Step& step, int head,
                                 bool is_special) {
    const int row = ptx::warp_index() / column_groups * 16;
    const int column = ptx::warp_index() % column_groups * wide * 8;
    Sums<1, wide> sums;
    clear(sums);
    if (is_special) {
      add_visible(sums, gradients, keys, intervals, begin, step, row, column);
    } else {
      multiply(sums, gradients, keys, row, column);
    }
    for_each_sum<1, wide>([&](int m, int n, int i, int r, int c) {
      const std::int32_t query = step.begin + row + r;
      if (query < step.end && column + c < to.dim) ptx::reduce_add(&to(query, head, column + c), sums[m][n][i]);
    });
  }

 private:
  CAESURA_DEVICE static void multiply(Sums<1, wide>& sums, const GradientTile& gradients, const KeyTile& keys, int row,
                                      int column) {
    const int lane = ptx::opaque(ptx::lane_index()), matrix = lane / 8, r = lane % 8;
#pragma unroll
    for (int k = 0; k < Keys / 16; ++k) {
      // Rows of dS are columns of dS^T.
      const ptx::Vector4 loaded =
          ptx::load_matrices_transposed(gradients.chunk(16 * k + matrix / 2 * 8 + r, row / 8 + matrix % 2));
      std::uint32_t left[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) left[i] = loaded.word[i];
#pragma unroll
      for (int n = 0; n < wide; n += 2) {
        const ptx::Vector4 right =
            ptx::load_matrices_transposed(keys.chunk(16 * k + matrix % 2 * 8 + r, column / 8 + n + matrix / 2));
        ptx::mma_m16n8k16<Scalar>(sums[0][n], left, right.word[0], right.word[1]);
        ptx::mma_m16n8k16<Scalar>(sums[0][n + 1], left, right.word[2], right.word[3]);
      }
    }
  }

  /// Pair by pair, where keys hold infinities or NaN: see visible.hpp.
  CAESURA_DEVICE static void add_visible(Sums<1, wide>& sums, const GradientTile& gradients, const KeyTile& keys,
                                         const RowIntervals& intervals, std::int64_t begin, const Step& step, int row,
                                         int column) {
    const int lane = ptx::lane_index();
    for (int key = 0; key < Keys; ++key) {
      const TileRange seen = interval_of(intervals, step.layer, begin + key);
      float weight[2];
      bool is_seen[2];
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const int query = row + lane / 4 + 8 * j;
        float pair[2];
        gradients.template pair<Scalar>(key, query / 2 * 2, pair);
        weight[j] = query % 2 == 0 ? pair[0] : pair[1];
        is_seen[j] = step.begin + query >= seen.begin && step.begin + query < seen.end;
      }
#pragma unroll
      for (int n = 0; n < wide; ++n) {
        float value[2];
        keys.template pair<Scalar>(key, column + 8 * n + lane % 4 * 2, value);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          if (is_seen[i / 2]) sums[0][n][i] += weight[i / 2] * value[i % 2];
        }
      }
    }
  }
};

/// What a step's sums begin with, and dq from what they end with.
template <class Space>
void clear_query_sums(const Space& space, const BackwardProblem& problem) {
  const QuerySums sums(problem);
  const std::int64_t count = problem.shape.total_q * sums.heads * sums.dim;
  Kokkos::parallel_for(
      "caesura::backward::cuda_sm80::clear",
      Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, count),
      KOKKOS_LAMBDA(std::int64_t i) { sums.data[i] = 0; });
}

template <class Scalar, class Space>
void write_query_gradients(const Space& space, const BackwardProblem& problem) {
  const QuerySums sums(problem);
  const std::int64_t count = problem.shape.total_q * sums.heads * sums.dim;
  const TensorRef dq = problem.dq;
  const auto scale = static_cast<float>(problem.shape.scale);
  const bool accumulates = problem.accumulate_q;
  Kokkos::parallel_for(
      "caesura::backward::cuda_sm80::dq", Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, count),
      KOKKOS_LAMBDA(std::int64_t i) {
        const std::int64_t row = i / (sums.heads * sums.dim), head = i / sums.dim % sums.heads, column = i % sums.dim;
        const float value = scale * sums.data[i];
        const auto write = [&](auto* data) {
          auto& to = data[dq.offset(row, head) + column];
          using Value = std::remove_reference_t<decltype(to)>;
          const float old = accumulates ? static_cast<float>(to) : 0.0f;
          to = static_cast<Value>(accumulates ? Accumulate()(0, 0, old, value) : Overwrite()(0, 0, old, value));
        };
        if (dq.type == ScalarType::float32) {
          write(static_cast<float*>(dq.data));
        } else {
          write(static_cast<Scalar*>(dq.data));
        }
      });
}

}  // namespace caesura::cuda::sm80
