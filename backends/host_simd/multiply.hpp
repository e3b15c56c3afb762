// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/words.hpp"
#include "backends/portable/multiply.hpp"

// The products of all host kernels that do without tiles. Sums begin and end in memory, in functions of their own:
// compilers that inline such a loop among much else run out of registers and keep sums, or the loop's own pointers, in
// memory or in other vectors, which cost between 5 % and half of the speed.

namespace caesura::host_simd {

/// Asks for `[from, from + bytes)`, which is read soon.
inline void prefetch(const void* from, std::int64_t bytes) {
  for (std::int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(static_cast<const char*>(from) + at, 0, 3);
}

/// Words that a panel is fetched ahead of its use: without it, products whose panels lie in the second cache ran at 67
/// instead of 77 % of peak.
inline constexpr int prefetch_distance = 256;

/// Register blocks: `rows` x up to three vectors of sums, the vectors of one factor, one broadcast word of the other: what
/// 32 and 16 registers hold. The backward's blocks of 64 rows are cut into `lanes`.
template <class Real>
struct Block {
  static constexpr int rows = HostVector<Real>::is_wide ? 8 : 4;
  static constexpr int vectors = 2;
  static constexpr int lanes = vectors * width<Real>;
};

using portable::Start;

/// `c(i, lane) = start + sum over r of a(i, r) * b(r, lane)`, r in order, for panels of `Block::rows` rows i. What c held
/// joins the sums last, asked for at first: products that begin with it wait for it (a forward 0.99x, a backward up to 0.98x).
template <class Words>
struct Product {
  using Word = typename Words::Word;
  using Real = typename Words::Real;

  int panels = 0;
  int depth = 0;             ///< words
  const Word* a = nullptr;   ///< the first panel
  std::int64_t a_panel = 0;  ///< words from panel to panel
  const Word* b = nullptr;   ///< `(depth, b_pitch)`
  std::int64_t b_pitch = 0;
  Real* c = nullptr;  ///< `(panels * rows, c_pitch)`
  std::int64_t c_pitch = 0;
  const Real* factor = nullptr;  ///< by lane, of what \p c held (Start::scaled)
  const Word* next = nullptr;    ///< what is read after this product; asked for on the way
  int next_bytes = line_bytes;   ///< of it, with every two steps of the depth: at most a line
};

/// For \p vectors vectors of lanes; (i, r) of a panel lies at `a[i * row_step + r * depth_step]`.
template <class Words, int vectors, int row_step, int depth_step, Start start>
[[gnu::noinline]] void multiply(const Product<Words>& product) {
  using Word = typename Words::Word;
  using Real = typename Words::Real;
  constexpr int rows = Block<Real>::rows;
  constexpr bool is_packed = depth_step > 1;  // else it was just written
  const int depth = product.depth;
  const std::int64_t b_pitch = product.b_pitch, c_pitch = product.c_pitch;
  const std::int64_t next_bytes = product.next == nullptr ? 0 : product.next_bytes;
  auto* next = reinterpret_cast<const char*>(product.next == nullptr ? product.a : product.next);
  for (int p = 0; p < product.panels; ++p) {
    Real* const c = product.c + p * rows * c_pitch;
    Vector<Real> sum[rows][vectors];
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        sum[i][v] = Vector<Real>(Real(0));
        if constexpr (start != Start::zero) __builtin_prefetch(c + i * c_pitch + v * width<Real>, 1, 3);
      }
    }
    const Word *a = product.a + p * product.a_panel, *b = product.b;
    [[maybe_unused]] const Word* near = a + prefetch_distance;
    if constexpr (is_packed) asm("" : "+r"(near));  // else a's own offsets grow by the distance, and the code too
    const auto step = [&]() __attribute__((always_inline)) {
      typename Words::WordVector lanes[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) lanes[v] = Words::load_words(b + v * width<Real>);
#pragma GCC unroll 8
      for (int i = 0; i < rows; ++i) {
        const typename Words::WordVector word = Words::broadcast(a[i * row_step]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) sum[i][v] = Words::multiply_add(word, lanes[v], sum[i][v]);
      }
      a += depth_step;
      b += b_pitch;
    };
    int r = 0;
    for (; r + 2 <= depth; r += 2) {
      if constexpr (is_packed) __builtin_prefetch(near, 0, 3);
      step();
      __builtin_prefetch(next, 0, 2);
      if constexpr (is_packed && depth_step * sizeof(Word) >= line_bytes) __builtin_prefetch(near + depth_step, 0, 3);
      step();
      near += 2 * depth_step;
      next += next_bytes;
    }
    if (r < depth) step();
#pragma GCC unroll 8
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        Real* const at = c + i * c_pitch + v * width<Real>;
        Vector<Real> total = sum[i][v];
        if constexpr (start == Start::keep) total = load<Real>(at) + total;
        if constexpr (start == Start::scaled)
          total = Kokkos::fma(load<Real>(at), load<Real>(product.factor + v * width<Real>), total);
        store<Real>(at, total);
      }
    }
  }
}

/// Where panels hold the words of their rows side by side: (i, r) at `a[r * rows + i]`.
template <class Words, int vectors, Start start>
void multiply_panels(const Product<Words>& product) {
  multiply<Words, vectors, 1, Block<typename Words::Real>::rows, start>(product);
}

}  // namespace caesura::host_simd
