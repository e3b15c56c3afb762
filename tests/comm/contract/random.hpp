// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace caesura::testing {

/// Random numbers without attention's: these programs are built of the communication layer alone.
class RandomRows {
 public:
  explicit RandomRows(std::uint64_t seed) : engine_(seed) {}

  /// In [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return real() < probability; }
  /// In [0, 1).
  double real() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

 private:
  std::mt19937_64 engine_;
};

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
