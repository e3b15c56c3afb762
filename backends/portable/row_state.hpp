// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/portable/math.hpp"
#include <caesura/problem.hpp>

#include <Kokkos_Core.hpp>

// A row's running softmax: what it starts from and what it leaves, the same for every kernel family.

namespace caesura::portable {

/// The largest logit so far in log2 units, and the sum of `exp2(logit - top)`.
template <class Real>
struct RowState {
  Real top = -Kokkos::Experimental::infinity_v<Real>;
  Real sum = 0;
};

/// log(e^a + e^b).
template <class Real>
KOKKOS_FUNCTION Real log_add(Real a, Real b) {
  const Real larger = b > a ? b : a;
  const Real smaller = b > a ? a : b;
  return larger == -Kokkos::Experimental::infinity_v<Real> ? a + b
                                                           : larger + Kokkos::log1p(Kokkos::exp(smaller - larger));
}

/// log(e^lse + sum of e^sink).
template <class Real>
KOKKOS_FUNCTION Real join_sinks(const SinkRef& sink, Real lse, int head) {
  for (std::int32_t j = 0; j < sink.count; ++j) {
    lse = log_add(lse, static_cast<const Real*>(sink.data)[head * sink.head_stride + j * sink.sink_stride]);
  }
  return lse;
}

/// The state of a row whose results are merged: the earlier result's maximum, where that is known, or else its
/// log-sum-exp as one. The earlier `out` counts `sum` times.
template <class Real>
KOKKOS_FUNCTION RowState<Real> resume_row(const ForwardProblem& problem, std::int64_t row, int head) {
  const auto value_of = [&](const TensorRef& tensor) {
    return static_cast<const Real*>(tensor.data)[tensor.offset(row, head)] * static_cast<Real>(Kokkos::numbers::log2e);
  };
  const Real top = value_of(problem.row_max ? problem.row_max : problem.lse);
  // A row that saw no key yet may have the share of a sink: `finish_row` joins it.
  const bool is_empty = top == -Kokkos::Experimental::infinity_v<Real>;
  return {top, is_empty ? Real(0) : portable::exp2(value_of(problem.lse) - top)};
}

/// Writes lse and row_max. Returns what `out` has to be multiplied with.
template <class Real>
KOKKOS_FUNCTION Real finish_row(const ForwardProblem& problem, std::int64_t row, int head,
                                const RowState<Real>& state) {
  constexpr Real minus_infinity = -Kokkos::Experimental::infinity_v<Real>;
  const Real top = state.top * static_cast<Real>(Kokkos::numbers::ln2);
  const Real keys = state.sum == 0 ? minus_infinity : top + Kokkos::log(state.sum);
  Real& saved = static_cast<Real*>(problem.lse.data)[problem.lse.offset(row, head)];
  Real lse = join_sinks(problem.shape.sink, keys, head);
  if (problem.row_max) {
    Real& highest = static_cast<Real*>(problem.row_max.data)[problem.row_max.offset(row, head)];
    if (problem.merge && highest == minus_infinity) lse = log_add(lse, saved);
    highest = top;
  }
  saved = lse;
  // Weights are relative to `top`; with sinks the row's sum is larger than its own keys'.
  const Real total = lse == keys ? state.sum : Kokkos::exp(lse - top);
  return state.sum == 0 ? Real(0) : Real(1) / total;
}

}  // namespace caesura::portable
