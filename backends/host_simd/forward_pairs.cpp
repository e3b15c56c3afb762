// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/launch_forward.hpp"

namespace caesura::host_simd {

template <class Space>
void forward_pairs(const Space& space, const ForwardProblem& problem) {
  launch_forward<bfloat16, PairWords>(space, problem);
}

#define CAESURA_INSTANTIATE(Space) template void forward_pairs<Space>(const Space&, const ForwardProblem&);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::host_simd
