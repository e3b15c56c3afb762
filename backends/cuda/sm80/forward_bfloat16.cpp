// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/cuda/sm80/launch_forward.hpp"

namespace caesura::cuda::sm80 {

#define CAESURA_INSTANTIATE(Space) template void forward<Space, bfloat16>(const Space&, const ForwardProblem&);
CAESURA_FOR_EACH_CUDA_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::cuda::sm80
