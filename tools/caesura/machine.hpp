// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace caesura::tools {

struct Cache {
  std::string name;  ///< "L1d", "L2", ...
  std::int64_t bytes = 0;
  int shared_by = 1;  ///< cores
};

/// What the operating system says of this machine, as far as it does (Linux: /proc and /sys).
struct Machine {
  std::string processor = "unknown";
  int cores = 1;
  std::int64_t memory_bytes = 0;
  std::vector<Cache> caches;
};

Machine read_machine();

}  // namespace caesura::tools
