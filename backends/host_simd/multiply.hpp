// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/words.hpp"

namespace caesura::host_simd {

/// Asks for `[from, from + bytes)`, which is read soon.
inline void prefetch(const void* from, std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const char*>(from) + at, 0, 3);
}

/// Words that a panel is fetched ahead of its use: without it, products whose panels lie in the second cache ran at 67
/// instead of 77 % of peak.
inline constexpr int prefetch_distance = 256;

/// Register blocks: `rows` x `vectors` accumulators, the vectors of one factor, one broadcast word of the other.
/// 32 registers hold 8 x 2 of them with room to prefetch, 16 hold 4 x 2.
template <class Real>
struct Block {
  static constexpr int rows = HostVector<Real>::is_wide ? 8 : 4;
  static constexpr int vectors = 2;
  static constexpr int lanes = vectors * width<Real>;
};

template <class Real, int vectors>
using Sums = Vector<Real>[Block<Real>::rows][vectors];

/// `sum[i][lane] += sum over r of a(i, r) * b(r, lane)`, r in order. Word (i, r) lies at `a[i * row_step + r * depth_step]`; \p b is
/// `(depth, vectors * width)`, contiguous.
template <class Words, int vectors, int row_step, int depth_step>
KOKKOS_FORCEINLINE_FUNCTION void multiply(int depth, const typename Words::Word* a, const typename Words::Word* b,
                                          Sums<typename Words::Real, vectors>& sum) {
  using Real = typename Words::Real;
  constexpr int rows = Block<Real>::rows;
  constexpr bool is_panel = depth_step > 1;  // rows of a factor were just written
  [[maybe_unused]] const typename Words::Word* next = a + prefetch_distance;
  if constexpr (is_panel) asm("" : "+r"(next));  // else a's own offsets grow by the distance, and the loop's code too
  for (int r = 0; r < depth; ++r) {
    if constexpr (is_panel) {
      __builtin_prefetch(next, 0, 3);
      next += depth_step;
    }
    typename Words::WordVector lanes[vectors];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) lanes[v] = Words::load_words(b + v * width<Real>);
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
      const typename Words::WordVector word = Words::broadcast(a[i * row_step]);
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) sum[i][v] = Words::multiply_add(word, lanes[v], sum[i][v]);
    }
    a += depth_step;
    b += vectors * width<Real>;
  }
}

/// Where a panel holds the words of its rows side by side: (i, r) at `a[r * rows + i]`.
template <class Words, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void multiply_panel(int depth, const typename Words::Word* panel,
                                                const typename Words::Word* b,
                                                Sums<typename Words::Real, vectors>& sum) {
  multiply<Words, vectors, 1, Block<typename Words::Real>::rows>(depth, panel, b, sum);
}

template <class Real, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void clear(Sums<Real, vectors>& sum) {
#pragma GCC unroll 8
  for (int i = 0; i < Block<Real>::rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sum[i][v] = Vector<Real>(Real(0));
  }
}

/// `sum[i][lane] *= factor[lane]`.
template <class Real, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void scale(Sums<Real, vectors>& sum, const Vector<Real> (&factor)[vectors]) {
#pragma GCC unroll 8
  for (int i = 0; i < Block<Real>::rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sum[i][v] = sum[i][v] * factor[v];
  }
}
/// The same with one factor for all.
template <class Real, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void scale(Sums<Real, vectors>& sum, Real factor) {
  Vector<Real> factors[vectors];
  for (int v = 0; v < vectors; ++v) factors[v] = Vector<Real>(factor);
  scale<Real, vectors>(sum, factors);
}

/// From and to `(rows, vectors * width)`, contiguous.
template <class Real, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void load(const Real* from, Sums<Real, vectors>& sum) {
#pragma GCC unroll 8
  for (int i = 0; i < Block<Real>::rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sum[i][v] = load<Real>(from + (i * vectors + v) * width<Real>);
  }
}
template <class Real, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void store(Real* to, const Sums<Real, vectors>& sum) {
#pragma GCC unroll 8
  for (int i = 0; i < Block<Real>::rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store<Real>(to + (i * vectors + v) * width<Real>, sum[i][v]);
  }
}

/// Asks for what a coming `load` reads.
template <class Real, int vectors>
KOKKOS_FORCEINLINE_FUNCTION void prefetch_sums(const Real* from) {
#pragma GCC unroll 16
  for (int i = 0; i < Block<Real>::rows * vectors; ++i) __builtin_prefetch(from + i * width<Real>, 1, 3);
}

}  // namespace caesura::host_simd
