// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "mask_input.hpp"

#include "options.hpp"
#include <caesura/error.hpp>

#include <nlohmann/json.hpp>

namespace caesura::tools {

std::string rule_text(const DocumentMask& rule) {
  std::string result(name_of(rule.kind));
  if (rule.window != Window{}) result += text(", window ", rule.window.left, ",", rule.window.right);
  if (rule.chunk > 0) result += text(", chunk ", rule.chunk);
  if (rule.prefix > 0) result += text(", prefix ", rule.prefix);
  return result;
}

MaskInput mask_of_documents(const Documents& documents, const DocumentMask& rule, const std::string& source) {
  return {.mask = Mask::from_documents(documents, rule),
          .source = source,
          .rule = rule_text(rule),
          .documents = {documents.begin(), documents.end()},
          .document_mask = rule};
}

nlohmann::ordered_json to_json(const MaskInput& input) {
  nlohmann::ordered_json result = {{"source", input.source}, {"slices", input.mask.slices().size()}};
  if (input.document_mask) {
    const DocumentMask& rule = *input.document_mask;
    result["kind"] = name_of(rule.kind);
    result["window"] = {rule.window.left, rule.window.right};
    result["chunk"] = rule.chunk;
    result["prefix"] = rule.prefix;
  }
  return result;
}

}  // namespace caesura::tools
