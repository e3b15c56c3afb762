// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The small text files in which Linux describes itself. All of it is best effort: what is not there, or not as
// expected, is empty.

namespace caesura::impl {

/// Without the white space at both ends.
std::string first_line(const std::filesystem::path& file);

/// The value behind \p key and a colon, on the first line that begins so.
std::string value_after(const std::filesystem::path& file, std::string_view key);

/// "48" -> 48.
std::optional<std::int64_t> number_of(std::string_view words);

/// "48K" -> 49152.
std::int64_t bytes_of(std::string_view size);

/// "0-3,8" -> 0 1 2 3 8; ascending.
std::vector<int> numbers_of(std::string_view list);

}  // namespace caesura::impl
