// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/group.hpp>
#include <caesura/comm/rows.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// \throws Error (invalid_argument) if lists differ in length, a rank is none, or destinations do not ascend
void check_splits(std::string_view operation, const GroupSplits& splits, int ranks);

/// A block for each destination of each input split, and one for each output split.
std::vector<RowBlock> input_blocks(const GroupSplits& splits);
std::vector<RowBlock> output_blocks(const GroupSplits& splits);

std::int64_t list_bytes(const GroupSplits& splits);

}  // namespace caesura::comm::impl
