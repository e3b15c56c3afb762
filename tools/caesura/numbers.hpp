// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Text to numbers and back, strictly: all of the text counts.
namespace caesura::tools {

std::optional<std::int64_t> to_integer(std::string_view text);
/// Also takes `nan` and `inf`, so that a rule can name them.
std::optional<double> to_number(std::string_view text);

std::vector<std::string> split(std::string_view text, char separator);
std::string_view trimmed(std::string_view text);

/// \p text for an error message: shortened, everything unprintable as '?'.
std::string quoted(std::string_view text);

/// 1234567 -> "1,234,567".
std::string grouped(std::int64_t value);
/// 1234567 -> "1.23M"; three significant digits.
std::string short_text(double value);
/// 0.00123 s -> "1.23 ms"; three significant digits.
std::string time_text(double seconds);
/// 1536 -> "1.5 KiB".
std::string bytes_text(std::int64_t bytes);
/// 0.1234 -> "12.3 %"; "< 0.001 %" for less.
std::string percent_text(double share);
/// printf with one double.
std::string formatted(const char* format, double value);

}  // namespace caesura::tools
