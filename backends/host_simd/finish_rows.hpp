// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/host_simd/pack.hpp"
#include "backends/host_simd/vector.hpp"
#include "backends/portable/row_state.hpp"

namespace caesura::host_simd {

/// `portable::finish_row` of \p rows rows from \p begin, lanes of whole vectors; \p sum becomes what O has to be multiplied with.
/// Sums are relative to \p top; \p highest are the maxima.
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
      if (in_a_batch(to, begin + at, count)) {
        Real* const first = static_cast<Real*>(to.data) + to.offset(begin + at, head);
        for (int lane = 0; lane < count; ++lane) first[lane * to.row_stride] = lse[lane];
      } else {
        for (int lane = 0; lane < count; ++lane)
          static_cast<Real*>(to.data)[to.offset(begin + at + lane, head)] = lse[lane];
      }
    }
  }
  for (int lane = 0; lane < rows && problem.row_max; ++lane)
    static_cast<Real*>(problem.row_max.data)[problem.row_max.offset(begin + lane, head)] = highest[lane] * ln2;
}

}  // namespace caesura::host_simd
