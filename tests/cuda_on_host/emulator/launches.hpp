// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <functional>

namespace caesura::cuda_on_host {

/// Runs \p body in every thread of every block, block after block. \throws Fault
void launch(std::int64_t blocks, int threads, std::int64_t shared_bytes, const std::function<void()>& body);

/// The order in which warps run and copies arrive follows from it, and from CAESURA_EMULATOR_SEED at the start.
void set_seed(std::uint64_t seed);

}  // namespace caesura::cuda_on_host
