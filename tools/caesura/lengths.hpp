// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace caesura::tools {

using Lengths = std::vector<std::int64_t>;

/// One document length a line; `#` starts a comment, blank lines are skipped.
/// \throws Error with the file, the line's number and its text.
Lengths read_lengths(const std::filesystem::path& file);

/// `100,80,76`; `34x8192` means 34 tokens 8,192 times. \p where names the option in errors.
Lengths parse_lengths(const std::string& where, const std::string& list);

/// The documents from \p first_document (counted from 0) on. With \p tokens: as many as fill them, the last one cut.
/// \param source  what errors call the list
Lengths pack(const Lengths& lengths, const std::string& source, std::int64_t first_document,
             std::optional<std::int64_t> tokens);

/// `LENGTHS | --documents LIST`, `--tokens`, `--first-document`.
struct LengthArguments {
  std::string file;
  std::string documents;
  std::optional<std::int64_t> tokens;
  std::int64_t first_document = 0;
  /// The first of these options that was given, empty if none.
  std::string given() const;
  /// What reports call it: the file's name, or "LIST".
  std::string source() const;
  Lengths lengths() const;
};
void add_length_options(CLI::App& app, LengthArguments& lengths);

}  // namespace caesura::tools
