// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/cuda.hpp"
#include "backends/cuda/sm80/dispatch.hpp"
#include "backends/cuda/sm80/forward.hpp"

#include <ptx/launch.hpp>

namespace caesura::cuda::sm80 {

template <class Space, class Scalar>
void forward(const Space& space, const ForwardProblem& problem) {
  with_kernel(problem.shape, [&]<Features Has, int Dim>(Constant<Has>, Constant<Dim>) {
    using Kernel = Forward<Scalar, Dim, Has>;
    ptx::launch(space, "caesura::forward::cuda_sm80", Kernel::blocks(problem), Kernel(problem));
  });
}

}  // namespace caesura::cuda::sm80
