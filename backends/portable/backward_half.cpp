// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/portable/launch_backward.hpp"

namespace caesura::portable {

#define CAESURA_INSTANTIATE(Space) template void backward<Space, half>(const Space&, const BackwardProblem&);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::portable
