// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pack.hpp"
#include "backends/host_simd/vector.hpp"
#include "backends/portable/row_state.hpp"

#include <algorithm>

// What rows begin with and end with, as lanes of whole vectors.

namespace caesura::host_simd {

/// The states of \p lanes lanes, of which \p rows are rows, from \p begin: those of earlier results where these are merged.
template <class Real>
void begin_rows(const ForwardProblem& problem, std::int64_t begin, int rows, int lanes, int head, Real* top,
                Real* highest, Real* sum) {
  const portable::RowState<Real> none;
  std::fill_n(top, lanes, none.top);
  std::fill_n(sum, lanes, none.sum);
  for (int lane = 0; lane < rows && problem.merge; ++lane) {
    const auto state = portable::resume_row<Real>(problem, begin + lane, head);
    top[lane] = state.top;
    sum[lane] = state.sum;
  }
  std::copy_n(top, lanes, highest);
}

/// `portable::finish_row` of \p rows rows from \p begin; \p sum becomes what O has to be multiplied with. Sums are relative to
/// \p top; \p highest are the maxima.
template <class Real>
void finish_rows(const ForwardProblem& problem, std::int64_t begin, int rows, int head, const Real* top,
                 const Real* highest, Real* sum) {
  const auto ln2 = static_cast<Real>(Kokkos::numbers::ln2);
  if (problem.merge || problem.shape.sink.count > 0) {
    for (int lane = 0; lane < rows; ++lane)
      sum[lane] = portable::finish_row<Real>(problem, begin + lane, head, {top[lane], sum[lane]});
  } else {
    const Vector<Real> none(-Kokkos::Experimental::infinity_v<Real>), zero(Real(0)), one(Real(1));
    for (int at = 0; at < rows; at += width<Real>) {
      const Vector<Real> total = load<Real>(sum + at);
      const Vector<Real> base = load<Real>(top + at) * Vector<Real>(ln2);
      alignas(64) Real lse[width<Real>];
      store<Real>(lse, Kokkos::Experimental::condition(total == zero, none, base + log_of<Real>(total)));
      store<Real>(sum + at, Kokkos::Experimental::condition(total == zero, zero, one / total));
      const int count = std::min(width<Real>, rows - at);
      const TensorRef& to = problem.lse;
      const bool together = in_a_batch(to, begin + at, count);
      const std::int64_t first = to.offset(begin + at, head);
      for (int lane = 0; lane < count; ++lane) {
        const std::int64_t offset = together ? first + lane * to.row_stride : to.offset(begin + at + lane, head);
        static_cast<Real*>(to.data)[offset] = lse[lane];
      }
    }
  }
  for (int lane = 0; lane < rows && problem.row_max; ++lane)
    static_cast<Real*>(problem.row_max.data)[problem.row_max.offset(begin + lane, head)] = highest[lane] * ln2;
}

}  // namespace caesura::host_simd
