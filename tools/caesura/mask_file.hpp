// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "lengths.hpp"
#include "mask_input.hpp"
#include "options.hpp"

#include <filesystem>
#include <string>

namespace caesura::tools {

/// Reads a mask in one of two forms, which must not be mixed:
///
///     {"documents": [..], "documents_k": [..], "mask": "causal", "window": [l, r], "chunk": c, "prefix": p}
///     {"total_q": n, "total_k": m, "slices": [{"q": [a, b], "k": [c, d], "type": "full"},
///                                             {"q": [a, b], "k": [c, d], "diagonal": [lo or null, hi or null]}]}
///
/// \throws Error with the file, the path inside it, the value and the rule.
MaskInput read_mask_file(const std::filesystem::path& file);

/// The mask that a command line asks for: of document lengths, or of \p mask_file unless that is empty.
/// \throws Error where options of the one stand beside the other.
MaskInput mask_of(const LengthArguments& lengths, const MaskArguments& mask, const std::string& mask_file);

}  // namespace caesura::tools
