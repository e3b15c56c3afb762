// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/sm80/tiles.hpp"
#include <caesura/problem.hpp>

#include <cstddef>
#include <utility>

namespace caesura::cuda::sm80 {

template <auto Value>
struct Constant {};

/// Calls \p body with the least of `dims` that holds both of the problem's.
template <Features Has, class Body>
void with_dim(const AttentionShape& shape, const Body& body) {
  const int dim = shape.dim_qk > shape.dim_v ? shape.dim_qk : shape.dim_v;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    bool is_done = false;
    ((is_done || dim > dims<Has>[I] ? void() : (is_done = true, body(Constant<dims<Has>[I]>()))), ...);
  }
  (std::make_index_sequence<dims<Has>.size()>());
}

/// Calls `body(features, dim)` with the least that kernels must have for the problem.
template <class Body>
void with_kernel(const AttentionShape& shape, const Body& body) {
  const auto with = [&]<Features Has>(Constant<Has> features) {
    with_dim<Has>(shape, [&](auto dim) { body(features, dim); });
  };
  if (shape.softcap == 0 && shape.dropout.threshold == 0 && shape.scale > 0) {
    with(Constant<Features::plain>());
  } else {
    with(Constant<Features::all>());
  }
}

}  // namespace caesura::cuda::sm80
