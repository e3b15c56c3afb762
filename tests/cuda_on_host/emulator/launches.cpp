// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "launches.hpp"

#include "block.hpp"

#include <cstdlib>
#include <string>

namespace caesura::cuda_on_host {

namespace {

std::uint64_t& seed() {
  static std::uint64_t value = [] {
    const char* given = std::getenv("CAESURA_EMULATOR_SEED");
    return given ? std::stoull(given) : 1;
  }();
  return value;
}

}  // namespace

void set_seed(std::uint64_t value) { seed() = value; }

void launch(std::int64_t blocks, int threads, std::int64_t shared_bytes, const std::function<void()>& body) {
  for (std::int64_t i = 0; i < blocks; ++i) {
    Block block(static_cast<int>(i), threads, shared_bytes, seed()++);
    block.run(body);
  }
}

}  // namespace caesura::cuda_on_host
