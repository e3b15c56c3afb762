// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>
#include <caesura/spaces.hpp>

#include <string_view>

// What the registry calls; instantiated once per scalar in sm80/forward_*.cpp and sm80/backward_*.cpp.

// Devices run the kernels; where there is none, tests run the same sources on the host (tests/cuda_on_host).
#ifdef KOKKOS_ENABLE_CUDA
#define CAESURA_FOR_EACH_CUDA_SPACE(MACRO) CAESURA_FOR_CUDA(MACRO)
#else
#define CAESURA_FOR_EACH_CUDA_SPACE(MACRO) CAESURA_FOR_EACH_SPACE(MACRO)
#endif

namespace caesura::cuda::sm80 {

template <class Space, class Scalar>
void forward(const Space& space, const ForwardProblem& problem);

template <class Space, class Scalar>
void backward(const Space& space, const BackwardProblem& problem);

/// Why tensor cores cannot do a problem of this shape; empty if they can.
inline std::string_view refusal(const AttentionShape& shape) {
  constexpr std::int32_t max_dim = 256;
  if (shape.type != ScalarType::float16 && shape.type != ScalarType::bfloat16) return "is for half and bfloat16";
  if (shape.dim_qk > max_dim || shape.dim_v > max_dim) return "does dims up to 256";
  return {};
}

}  // namespace caesura::cuda::sm80
