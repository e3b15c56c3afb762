// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/kernels.hpp>

#include <vector>

namespace caesura::backends {

/// The kernel families of this build. A new family adds its entry here and nowhere else.
template <ExecutionSpace Space>
std::vector<Kernel<Space>> families();

}  // namespace caesura::backends
