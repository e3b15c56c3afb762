// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_input.hpp"

#include <filesystem>

namespace caesura::tools {

/// Reads a mask in one of two forms, which must not be mixed:
///
///     {"documents": [..], "documents_k": [..], "mask": "causal", "window": [l, r], "chunk": c, "prefix": p}
///     {"total_q": n, "total_k": m, "slices": [{"q": [a, b], "k": [c, d], "type": "full"},
///                                             {"q": [a, b], "k": [c, d], "diagonal": [lo or null, hi or null]}]}
///
/// \throws Error with the file, the path inside it, the value and the rule.
MaskInput read_mask_file(const std::filesystem::path& file);

}  // namespace caesura::tools
