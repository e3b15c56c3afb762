// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "perf/packs.hpp"
#include <caesura/document_mask.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace caesura::perf {

/// Causal attention of packed documents.
struct AttentionCase {
  std::string name;
  std::vector<std::int64_t> lengths;
  caesura::DocumentMask rule;
  int heads_q;
  int heads_kv;
  int dim;
  bool every_scalar = true;  ///< false: float alone
};

/// What the project is judged by; the packs are the first 16,384 tokens of every file of lengths in \p folder.
inline std::vector<AttentionCase> attention_cases(const std::filesystem::path& folder) {
  using Lengths = std::vector<std::int64_t>;
  const auto causal = [](std::string name, Lengths lengths, int heads_q, int heads_kv, int dim) {
    return AttentionCase{std::move(name), std::move(lengths), {}, heads_q, heads_kv, dim};
  };
  Lengths skewed;  // 16 documents of 7 to 4096 tokens, in geometric steps
  for (double length = 7; skewed.size() < 15; length *= 1.53) skewed.push_back(static_cast<std::int64_t>(length));
  skewed.push_back(4096);
  std::vector<AttentionCase> cases = {
      causal("causal_4096_dim64", {4096}, 8, 8, 64),
      causal("causal_4096_dim128", {4096}, 8, 8, 128),
      causal("gqa32_8_causal_2048_dim128", {2048}, 32, 8, 128),
      causal("skewed_7_to_4096_dim64", skewed, 8, 8, 64),
      causal("documents_512x30_dim64", Lengths(512, 30), 8, 8, 64),
      // The same number of tokens and about the same tiles, as many documents and as one.
      {"documents_8192x34_dim64", Lengths(8192, 34), {}, 8, 8, 64, false},
      {"window64_278528_dim64", {8192 * 34}, {.window = {64, 0}}, 8, 8, 64, false},
  };
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    cases.push_back(
        causal("pack_" + file.stem().string() + "_16k_dim128", pack_of_file(file.string(), 16384), 8, 2, 128));
  }
  return cases;
}

}  // namespace caesura::perf
