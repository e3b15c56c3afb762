// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_tile/support.hpp"

namespace caesura::host_tile {

const std::string& missing_tiles() {
  static const std::string nothing;
  return nothing;
}

}  // namespace caesura::host_tile
