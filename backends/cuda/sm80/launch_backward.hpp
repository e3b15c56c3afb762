// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/cuda.hpp"
#include "backends/cuda/sm80/backward_kv.hpp"
#include "backends/cuda/sm80/backward_q.hpp"
#include "backends/cuda/sm80/dispatch.hpp"
#include "backends/portable/launch_delta.hpp"

#include <ptx/launch.hpp>

namespace caesura::cuda::sm80 {

template <class Kernel, class Space>
void launch_pass(const Space& space, const char* label, const BackwardProblem& problem) {
  ptx::launch(space, label, Kernel::blocks(problem), Kernel(problem));
}

template <class Space, class Scalar>
void backward(const Space& space, const BackwardProblem& problem) {
  portable::launch_delta<Space, Scalar>(space, problem, "caesura::backward::cuda_sm80::delta",
                                        "caesura::backward::cuda_sm80::sink");
  with_kernel(problem.shape, [&]<Features Has, int Dim>(Constant<Has>, Constant<Dim>) {
    constexpr KeyGradients first = Dim <= max_dim_of_both ? KeyGradients::both : KeyGradients::keys;
    constexpr const char* label = "caesura::backward::cuda_sm80::kv";
    if (problem.any_order) {
      clear_query_sums(space, problem);
      launch_pass<BackwardKV<Scalar, Dim, Has, first, QueryGradients::added>>(
          space, "caesura::backward::cuda_sm80::all", problem);
      write_query_gradients<Scalar>(space, problem);
    } else {
      launch_pass<BackwardQ<Scalar, Dim, Has>>(space, "caesura::backward::cuda_sm80::q", problem);
      launch_pass<BackwardKV<Scalar, Dim, Has, first>>(space, label, problem);
    }
    if constexpr (first == KeyGradients::keys) {
      launch_pass<BackwardKV<Scalar, Dim, Has, KeyGradients::values>>(space, label, problem);
    }
  });
}

}  // namespace caesura::cuda::sm80
