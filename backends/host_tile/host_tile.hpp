// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>
#include <caesura/spaces.hpp>

// What the registry calls, for bfloat16 alone.

namespace caesura::host_tile {

template <class Space>
void forward(const Space& space, const ForwardProblem& problem);

template <class Space>
void backward(const Space& space, const BackwardProblem& problem);

}  // namespace caesura::host_tile
