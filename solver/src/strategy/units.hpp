// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <string>

namespace caesura::solver::impl {

/// 1234567 -> "1.23 MB"; three significant digits.
std::string shown_bytes(std::int64_t bytes);
/// 0.00123 -> "1.23 ms"; three significant digits.
std::string shown_seconds(double seconds);

}  // namespace caesura::solver::impl
