// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/documents.hpp>
#include <caesura/mask.hpp>

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace caesura::tools {

/// A mask and what is known about where it came from.
struct MaskInput {
  Mask mask;
  std::string source;                    ///< the file, or "--documents"
  std::string rule;                      ///< for people: "causal, window 1024,0"
  std::vector<Document> documents = {};  ///< empty if the mask was given by slices
  std::optional<DocumentMask> document_mask = {};
};

MaskInput mask_of_documents(const Documents& documents, const DocumentMask& rule, const std::string& source);

/// "causal, window 1024,0, chunk 512, prefix 4".
std::string rule_text(const DocumentMask& rule);

/// `{"kind": .., "window": [l, r], "chunk": c, "prefix": p}` or `{"slices": n}`, with the source.
nlohmann::ordered_json to_json(const MaskInput& input);

}  // namespace caesura::tools
