// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/tensor_rows.hpp"
#include "backends/portable/multiply.hpp"

// The products of short documents: factors are read where they lie, so that nothing is packed; rows that the next
// work reads are asked for meanwhile, a line a step.

namespace caesura::host_simd {

/// `c(i, lane) += sum over r of a(i, r) * b(r, lane)`, r in order, for \p rows rows i and \p vectors vectors of lanes;
/// c is written and not read unless \p start keeps it. \p left says what `a_pitch` lies between. Pitches are in words.
template <class Words, portable::Left left, int rows, int vectors, Start start>
[[gnu::noinline]] void multiply_in_place(int depth, const typename Words::Word* a, std::int64_t a_pitch,
                                         const typename Words::Word* b, std::int64_t b_pitch, typename Words::Real* c,
                                         std::int64_t c_pitch, const AheadRows& ahead) {
  using Word = typename Words::Word;
  using Real = typename Words::Real;
  constexpr bool by_rows = left == portable::Left::rows;
  // Rows in groups of four, each with a pointer of its own: as many addresses as one instruction can form.
  constexpr int of_group = by_rows ? std::min(rows, 4) : rows, groups = rows / of_group;
  Vector<Real> sum[rows][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      if constexpr (start == Start::zero) {
        sum[i][v] = Vector<Real>(Real(0));
      } else {
        sum[i][v] = load<Real>(c + i * c_pitch + v * width<Real>);
      }
    }
  }
  const Word* group[groups];
#pragma GCC unroll 4
  for (int g = 0; g < groups; ++g) group[g] = a + g * of_group * a_pitch;
  const char *row = ahead.first, *at = row;
  const std::int64_t row_bytes = ahead.row_bytes;
  int lines = ahead.lines;
  for (int r = 0; r < depth; ++r) {
    typename Words::WordVector lanes[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) lanes[v] = Words::load_words(b + v * width<Real>);
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      const Word* const from = group[i / of_group];
      const typename Words::WordVector word = Words::broadcast(by_rows ? from[i % of_group * a_pitch] : from[i]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[i][v] = Words::multiply_add(word, lanes[v], sum[i][v]);
    }
    // To the second cache: rows of one head share few sets of the first, where those of three tensors drive each other out.
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) __builtin_prefetch(at + v * line_bytes, 0, 2);
    at += vectors * line_bytes;
    if ((lines -= vectors) <= 0) {
      row += row_bytes;
      at = row;
      lines = ahead.lines;
    }
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) group[g] += by_rows ? 1 : a_pitch;
    b += b_pitch;
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store<Real>(c + i * c_pitch + v * width<Real>, sum[i][v]);
  }
}

}  // namespace caesura::host_simd
