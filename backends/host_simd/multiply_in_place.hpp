// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/tensor_rows.hpp"
#include "backends/portable/multiply.hpp"

// The products of short documents: factors are read where they lie, so that nothing is packed; rows that the next
// work reads are asked for meanwhile, a line or two a step.

namespace caesura::host_simd {

/// Lines that a product asks for with each step: one a vector; fewer where the left factor's rows are read side by side, a
/// line each, which is as much as loads keep up with.
template <portable::Left left, int vectors>
inline constexpr int lines_a_step = left == portable::Left::rows ? 1 : vectors;

/// Products that stay in memory: that of row i and vector v at `to + i * pitch + v * vector_pitch`.
template <class Real, int vector_pitch = width<Real>>
struct Kept {
  Real* to;
  std::int64_t pitch;

  KOKKOS_FORCEINLINE_FUNCTION Vector<Real> before(int i, int v) const {
    return load<Real>(to + i * pitch + v * vector_pitch);
  }
  template <int rows, int vectors>
  KOKKOS_FORCEINLINE_FUNCTION void take(const Vector<Real> (&sum)[rows][vectors]) const {
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) store<Real>(to + i * pitch + v * vector_pitch, sum[i][v]);
    }
  }
};

/// Products that are done: each row times its factor, rows of \p Value `pitch` values from one to the next.
template <class Real, class Value>
struct Finished {
  Value* to;
  std::int64_t pitch;
  int count, columns;  ///< that there are: further ones go nowhere
  const Real* factor;  ///< by row
  Write how;
  Real* check;  ///< a vector, 0 as long as all products are finite

  template <int rows, int vectors>
  KOKKOS_FORCEINLINE_FUNCTION void take(const Vector<Real> (&sum)[rows][vectors]) const {
    constexpr int whole = vectors * width<Real>;
    const Vector<Real> zero(Real(0));
    Vector<Real> special[2] = {load<Real>(check), zero};  // an infinity or NaN times 0 is not 0
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
      if (i == count) break;
      alignas(64) Real row[whole];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        special[v % 2] = Kokkos::fma(sum[i][v], zero, special[v % 2]);
        store<Real>(row + v * width<Real>, sum[i][v]);
      }
      // Whole vectors have a count that the compiler knows.
      columns >= whole ? write_row(to + i * pitch, row, factor[i], whole, how)
                       : write_row(to + i * pitch, row, factor[i], columns, how);
    }
    store<Real>(check, special[0] + special[1]);
  }
};

/// `c(i, lane) = start + sum over r of a(i, r) * b(r, lane)` as in `Product`, for \p rows rows i and \p vectors vectors of lanes.
/// \p result takes c, and knows what it was where \p start keeps it. \p left says what `a_pitch` lies between. Pitches
/// are in words.
template <class Words, portable::Left left, int rows, int vectors, Start start, class Result>
[[gnu::noinline]] void multiply_in_place(int depth, const typename Words::Word* a, std::int64_t a_pitch,
                                         const typename Words::Word* b, std::int64_t b_pitch, Result result,
                                         const AheadRows& ahead) {
  using Word = typename Words::Word;
  using Real = typename Words::Real;
  constexpr bool by_rows = left == portable::Left::rows;
  constexpr int asked = lines_a_step<left, vectors>;
  // Rows in groups of four, each with a pointer of its own: as many addresses as one instruction can form.
  constexpr int of_group = by_rows ? std::min(rows, 4) : rows, groups = rows / of_group;
  Vector<Real> sum[rows][vectors];
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sum[i][v] = Vector<Real>(Real(0));
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
    for (int i = 0; i < asked; ++i) __builtin_prefetch(at + i * line_bytes, 0, 2);
    at += asked * line_bytes;
    if ((lines -= asked) <= 0) {
      row += row_bytes;
      at = row;
      lines = ahead.lines;
    }
#pragma GCC unroll 4
    for (int g = 0; g < groups; ++g) group[g] += by_rows ? 1 : a_pitch;
    b += b_pitch;
  }
  if constexpr (start == Start::keep) {  // last, as in `Product`
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[i][v] = result.before(i, v) + sum[i][v];
    }
  }
  result.template take<rows, vectors>(sum);
}

}  // namespace caesura::host_simd
