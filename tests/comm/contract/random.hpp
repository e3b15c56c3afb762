// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <support/random_numbers.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace caesura::testing {

/// A number in [-1, 1) that is always the same for \p code: what a rank has where, known to all without asking.
inline double known_value(std::int64_t code) {
  auto bits = static_cast<std::uint64_t>(code) + 0x9e3779b97f4a7c15u;  // splitmix64
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((bits ^ (bits >> 31)) >> 11) * 0x1p-52 - 1;
}

/// \p usual, or what CAESURA_TEST_SEED says; printed.
inline std::uint64_t test_seed(std::uint64_t usual) {
  const char* given = std::getenv("CAESURA_TEST_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 10) : usual;
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace caesura::testing
