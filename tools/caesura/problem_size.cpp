// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "problem_size.hpp"

#include "numbers.hpp"
#include <caesura/attention.hpp>
#include <caesura/error.hpp>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace caesura::tools {

std::int64_t ProblemSize::tensor_bytes() const {
  const bool backward = passes == Passes::forward_and_backward;
  const std::int64_t copies = backward ? 2 : 1;
  const std::int64_t elements = copies * (total_q * heads_q * (dim_qk + dim_v) + total_k * heads_kv * (dim_qk + dim_v));
  const std::int64_t sums = total_q * heads_q + copies * heads_q * sinks;
  return elements * bytes_of(type) + sums * bytes_of(accumulator_of(type));
}

std::int64_t ProblemSize::workspace_bytes() const {
  return passes == Passes::forward ? 0 : backward_workspace_bytes(total_q, heads_q, type);
}

double ProblemSize::forward_flops(std::int64_t area) const {
  return 2.0 * static_cast<double>(area) * static_cast<double>((dim_qk + dim_v) * heads_q);
}

namespace {
/// What the system can still give to this process, or a huge number if it does not say.
std::int64_t available_bytes() {
  std::int64_t available = std::numeric_limits<std::int64_t>::max();
  std::ifstream meminfo("/proc/meminfo");
  for (std::string key; meminfo >> key;) {
    if (key == "MemAvailable:" && meminfo >> available) {
      available *= 1024;
      break;
    }
  }
  std::int64_t limit = 0;
  std::int64_t used = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit && std::ifstream("/sys/fs/cgroup/memory.current") >> used) {
    available = std::min(available, std::max<std::int64_t>(0, limit - used));
  }
  return available;
}
}  // namespace

void require_memory(const ProblemSize& size) {
  if constexpr (!Kokkos::SpaceAccessibility<Kokkos::DefaultHostExecutionSpace,
                                            Kokkos::DefaultExecutionSpace::memory_space>::accessible) {
    return;
  }
  const std::int64_t asked = size.tensor_bytes() + size.workspace_bytes();
  const std::int64_t there = available_bytes();
  require(
      asked <= there,
      [&] {
        return text("tensors of ", size.total_q, " tokens: ", asked, " bytes (", bytes_text(asked), ") asked, ", there,
                    " bytes (", bytes_text(there), ") there: must fit (--tokens N takes fewer)");
      },
      ErrorKind::resources);
}

}  // namespace caesura::tools
