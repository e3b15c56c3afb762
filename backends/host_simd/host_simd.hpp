// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>
#include <caesura/spaces.hpp>

// What the registry calls; instantiated once per scalar in forward_*.cpp and backward_*.cpp.

namespace caesura::host_simd {

template <class Space, class Scalar>
void forward(const Space& space, const ForwardProblem& problem);

template <class Space, class Scalar>
void backward(const Space& space, const BackwardProblem& problem);

/// bfloat16 without conversion, by dot products of pairs: where `CAESURA_HAS_BFLOAT16_PAIRS`.
template <class Space>
void forward_pairs(const Space& space, const ForwardProblem& problem);
template <class Space>
void backward_pairs(const Space& space, const BackwardProblem& problem);

}  // namespace caesura::host_simd
