// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/machine_peak.hpp"
#include "perf/rates.hpp"

#include <cstdint>

// Compiled for AMX whatever the rest is compiled for: libraries that choose their instructions at run time have tiles even
// where our kernels have none.
#if defined(__AMX_BF16__) && defined(__linux__) && !defined(KOKKOS_ENABLE_CUDA)
#define CAESURA_HAS_TILES
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace caesura::perf {

#ifdef CAESURA_HAS_TILES

namespace {

/// What LDTILECFG reads: 16 rows of 64 bytes for each of the 8 tiles.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

/// Has the processor such tiles, and does the kernel let this process use them?
bool may_use_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_tile = 1U << 24U, amx_bf16 = 1U << 22U;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & amx_tile) == 0 || (d & amx_bf16) == 0) return false;
  constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

double rate_of_this_thread() {
  constexpr int rounds = 2'000;  // about 0.1 ms
  constexpr int chains = 6;      // two of the eight tiles are the factors
  constexpr int flops = 16 * 16 * 32 * 2;
  const TileShapes shapes;
  _tile_loadconfig(&shapes);
  const auto run = [] {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int round = 0; round < rounds; ++round) {
      _tile_dpbf16ps(0, 6, 7);
      _tile_dpbf16ps(1, 6, 7);
      _tile_dpbf16ps(2, 6, 7);
      _tile_dpbf16ps(3, 6, 7);
      _tile_dpbf16ps(4, 6, 7);
      _tile_dpbf16ps(5, 6, 7);
    }
  };
  const double rate = undisturbed_rate(1e-9 * rounds * chains * flops, run);
  _tile_release();
  return rate;
}

}  // namespace

double measure_tile_peak_gflops(int threads) {
  return may_use_tiles() ? sum_over_threads(threads, rate_of_this_thread) : 0;
}

#else

double measure_tile_peak_gflops(int) { return 0; }

#endif

}  // namespace caesura::perf
