// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_input.hpp"

#include <string>

namespace caesura::tools {

/// The mask as one SVG: who sees whom, how long the documents are, and where the work is.
std::string mask_picture(const MaskInput& input);

}  // namespace caesura::tools
