// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/product.hpp"
#include "backends/cuda/tensor.hpp"

namespace caesura::cuda::sm80 {

/// Two neighboring values, rounded to their type.
template <class Value>
struct alignas(2 * sizeof(Value)) Pair {
  Value low, high;
};

/// What a store does with what is there.
struct Overwrite {
  static constexpr bool reads = false;
  // + 0: a negative factor must not turn the zeros of what nobody saw into -0.
  KOKKOS_FUNCTION float operator()(int, int, float, float value) const { return value + 0.0f; }
};
struct Accumulate {
  static constexpr bool reads = true;
  // Adding zero would turn -0 into 0: what nobody saw keeps its bits.
  KOKKOS_FUNCTION float operator()(int, int, float old, float value) const { return value == 0 ? old : old + value; }
};
/// Adds `weight[m][j]` times the old value.
template <int Tall>
struct Mix {
  static constexpr bool reads = true;
  float weight[Tall][2];
  KOKKOS_FUNCTION float operator()(int m, int j, float old, float value) const {
    return weight[m][j] == 0 ? value : weight[m][j] * old + value;
  }
};

/// Writes `join(m, j, old, factor(m, j) * sum)` for a warp's sums to rows [begin, begin + count) of a head. \p row is the
/// warp's first in the block.
template <class Value, int Tall, int Wide, class Factor, class Join>
CAESURA_DEVICE void store_as(const Sums<Tall, Wide>& sums, const Tensor& to, std::int64_t begin, int count, int row,
                             int head, const Factor& factor, const Join& join) {
  const int lane = ptx::lane_index();
#pragma unroll
  for (int m = 0; m < Tall; ++m) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int at = row + 16 * m + 8 * j + lane / 4;
      if (at >= count) continue;
      Value* const data = static_cast<Value*>(to.ref.data) + to.ref.offset(begin + at, head);
      const float scale = factor(m, j);
      const auto joined = [&](const Value& old, float value) {
        return static_cast<Value>(join(m, j, Join::reads ? static_cast<float>(old) : 0.0f, value));
      };
#pragma unroll
      for (int n = 0; n < Wide; ++n) {
        const int column = 8 * n + lane % 4 * 2;
        const float low = scale * sums[m][n][2 * j], high = scale * sums[m][n][2 * j + 1];
        if (to.is_aligned) {
          if (column >= to.dim) continue;
          auto* const pair = reinterpret_cast<Pair<Value>*>(data + column);
          Pair<Value> old;
          if constexpr (Join::reads) old = *pair;
          *pair = {joined(old.low, low), joined(old.high, high)};
        } else {
          if (column < to.dim) data[column] = joined(data[column], low);
          if (column + 1 < to.dim) data[column + 1] = joined(data[column + 1], high);
        }
      }
    }
  }
}

/// The same into a tensor of the scalar or of its accumulator.
template <class Scalar, int Tall, int Wide, class Factor, class Join>
CAESURA_DEVICE void store(const Sums<Tall, Wide>& sums, const Tensor& to, std::int64_t begin, int count, int row,
                          int head, const Factor& factor, const Join& join) {
  if (to.ref.type == ScalarType::float32) {
    store_as<float>(sums, to, begin, count, row, head, factor, join);
  } else {
    store_as<Scalar>(sums, to, begin, count, row, head, factor, join);
  }
}

}  // namespace caesura::cuda::sm80
