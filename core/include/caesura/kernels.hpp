// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/problem.hpp>
#include <caesura/spaces.hpp>

#include <span>
#include <string_view>

namespace caesura {

/// One kernel family of this build, for one execution space.
template <ExecutionSpace Space>
struct Kernel {
  std::string_view name;         ///< what `variant` and CAESURA_FORCE_KERNEL take
  std::string_view description;  ///< one line: hardware and idea
  int priority = 0;              ///< the highest that does not refuse is taken
  /// Whether weights and their gradients are rounded to the tensors' type before they are multiplied.
  bool rounds_weights = false;

  /// Why it cannot do the problem, in static text: choosing a kernel allocates nothing. Empty if it can.
  std::string_view (*refuses_forward)(const ForwardProblem&) = nullptr;
  std::string_view (*refuses_backward)(const BackwardProblem&) = nullptr;

  void (*forward)(const Space&, const ForwardProblem&) = nullptr;
  void (*backward)(const Space&, const BackwardProblem&) = nullptr;
};

/// All kernels of this build for \p Space, best first.
template <ExecutionSpace Space>
std::span<const Kernel<Space>> kernels();

/// The kernel for a problem: \p variant, else the environment's CAESURA_FORCE_KERNEL, else the best that does not refuse.
/// \throws Error for an unknown name (lists the known ones), or, if none can do it, with every kernel's reason.
template <ExecutionSpace Space>
const Kernel<Space>& select_kernel(const ForwardProblem& problem, std::string_view variant);
template <ExecutionSpace Space>
const Kernel<Space>& select_kernel(const BackwardProblem& problem, std::string_view variant);

}  // namespace caesura
