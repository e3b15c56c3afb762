// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "emulated.hpp"

#include <string>

namespace caesura::cuda_on_host {

enum class Bug { no, yes };

/// Runs the kernel without its bug, which must work, and with it, which must be found and be told \p said.
template <class Kernel>
void expect_found(const std::string& said, int threads, const Kernel& kernel, std::int64_t shared_bytes = 4096) {
  expect_sound(
      threads, [&] { kernel(Bug::no); }, shared_bytes);
  expect_fault(
      said, threads, [&] { kernel(Bug::yes); }, shared_bytes);
}

}  // namespace caesura::cuda_on_host
