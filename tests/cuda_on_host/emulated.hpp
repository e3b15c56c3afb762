// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "emulator/fault.hpp"
#include "emulator/launches.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>

namespace caesura::cuda_on_host {

inline constexpr int seeds = 20;

/// What the Fault says that \p body in one block raises under \p seed, empty if there is none.
inline std::string fault_of(std::uint64_t seed, int threads, const std::function<void()>& body,
                            std::int64_t shared_bytes) {
  set_seed(seed);
  try {
    launch(1, threads, shared_bytes, body);
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "";
}

/// \p body must work under every seed.
inline void expect_sound(int threads, const std::function<void()>& body, std::int64_t shared_bytes = 4096) {
  for (std::uint64_t seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    EXPECT_EQ(fault_of(seed, threads, body, shared_bytes), "") << "seed " << seed;
  }
}

/// \p body must be found out under every seed, and be told \p said by one: what a bug looks like depends on who is late.
inline void expect_fault(const std::string& said, int threads, const std::function<void()>& body,
                         std::int64_t shared_bytes = 4096) {
  std::string all;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string fault = fault_of(seed, threads, body, shared_bytes);
    EXPECT_NE(fault, "") << "seed " << seed;
    all += fault + '\n';
  }
  EXPECT_NE(all.find(said), std::string::npos) << "expected: " << said << "\nfaults: " << all;
}

}  // namespace caesura::cuda_on_host
