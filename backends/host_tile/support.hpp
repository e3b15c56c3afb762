// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <string>

namespace caesura::host_tile {

/// Why this process cannot use tiles of bfloat16; empty if it can. The first call asks the system for them.
const std::string& missing_tiles();

}  // namespace caesura::host_tile
