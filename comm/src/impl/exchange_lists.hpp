// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>

#include <cstdint>
#include <vector>

namespace caesura::comm::impl {

/// A list of numbers for each rank, of any length, for the one that each rank has for this one. Collective. For the
/// making of plans: waits.
std::vector<std::vector<std::int64_t>> exchange_lists(const Communicator& communicator,
                                                      const std::vector<std::vector<std::int64_t>>& lists);

}  // namespace caesura::comm::impl
