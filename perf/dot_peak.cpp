// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "perf/machine_peak.hpp"
#include "perf/rates.hpp"

#include <cstdint>

#if defined(__AVX512BF16__) && !defined(KOKKOS_ENABLE_CUDA)
#define CAESURA_HAS_DOT_PRODUCTS
#include <immintrin.h>
#endif

namespace caesura::perf {

#ifdef CAESURA_HAS_DOT_PRODUCTS

namespace {

// As many chains as for the multiply-adds, for the same reason.
constexpr int chains = 12;

/// `rounds` dependent dot products of bfloat16 pairs in each of the chains. \p start is 0, which the compiler must not
/// know.
float run_dot_chains(std::int64_t rounds, float start) {
  // Sums grow by 2^-14 a round: no overflow, no subnormal numbers.
  const __m512bh left = _mm512_cvtne2ps_pbh(_mm512_set1_ps(start + 0x1p-7F), _mm512_set1_ps(start + 0x1p-7F));
  const __m512bh right = _mm512_cvtne2ps_pbh(_mm512_set1_ps(start + 0x1p-8F), _mm512_set1_ps(start + 0x1p-8F));
  __m512 values[chains];
  for (int i = 0; i < chains; ++i) values[i] = _mm512_set1_ps(static_cast<float>(i) + start);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) values[i] = _mm512_dpbf16_ps(values[i], left, right);
  }
  __m512 sum = values[0];
  for (int i = 1; i < chains; ++i) sum = _mm512_add_ps(sum, values[i]);
  return _mm512_reduce_add_ps(sum);
}

double rate_of_this_thread(double seconds) {
  constexpr std::int64_t rounds = 20'000;  // about 0.1 ms
  constexpr int flops = 16 * 4;            // 16 lanes of two products and two sums
  volatile float zero = 0;
  [[maybe_unused]] volatile float result = 0;  // keeps the runs alive
  return rate_over(seconds, 1e-9 * rounds * chains * flops, [&] { result = run_dot_chains(rounds, zero); });
}

}  // namespace

double measure_dot_peak_gflops(int threads, double seconds) {
  return sum_over_threads(threads, [seconds] { return rate_of_this_thread(seconds); });
}

#else

double measure_dot_peak_gflops(int, double) { return 0; }

#endif

}  // namespace caesura::perf
