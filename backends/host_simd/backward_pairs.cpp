// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/launch_backward.hpp"

namespace caesura::host_simd {

template <class Space>
void backward_pairs(const Space& space, const BackwardProblem& problem) {
  launch_backward<bfloat16, PairWords>(space, problem);
}

#define CAESURA_INSTANTIATE(Space) template void backward_pairs<Space>(const Space&, const BackwardProblem&);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::host_simd
