// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/spaces.hpp>

#include <string>
#include <utility>
#include <vector>

namespace caesura::tools {

/// What a kernel answers when it is asked for small problems, one feature each.
struct KernelSupport {
  std::string name;
  std::string description;
  int priority = 0;
  std::vector<std::string> supports;
  std::vector<std::pair<std::string, std::string>> refuses;  ///< feature, the kernel's reason
};

/// For all kernels of the space, best first. Runs none of them.
template <ExecutionSpace Some>
std::vector<KernelSupport> kernel_support();

}  // namespace caesura::tools
