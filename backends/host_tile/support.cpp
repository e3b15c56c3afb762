// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_tile/support.hpp"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// Compiled without the instructions that it asks about: it runs on any processor.

namespace caesura::host_tile {

namespace {

std::string find_missing() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_tile = 1U << 24U, amx_bf16 = 1U << 22U;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & amx_tile) == 0 || (d & amx_bf16) == 0)
    return "the processor has no tiles of bfloat16 (amx_tile, amx_bf16)";
  // Tiles are 8 KiB of state a thread, which Linux (5.16 and later) gives to processes that ask for it.
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  if (syscall(SYS_arch_prctl, request_permission, tile_data) != 0)
    return "the system does not let this process use the processor's tiles (arch_prctl, ARCH_REQ_XCOMP_PERM)";
  return {};
}

}  // namespace

const std::string& missing_tiles() {
  static const std::string missing = find_missing();
  return missing;
}

}  // namespace caesura::host_tile
