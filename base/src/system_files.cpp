// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/system_files.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace caesura::impl {

namespace {

std::string trimmed(std::string_view words) {
  const std::size_t first = words.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(words.substr(first, words.find_last_not_of(" \t\r\n") - first + 1));
}

}  // namespace

std::string first_line(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return trimmed(line);
}

std::string value_after(const std::filesystem::path& file, std::string_view key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && trimmed(std::string_view(line).substr(0, colon)) == key)
      return trimmed(std::string_view(line).substr(colon + 1));
  }
  return {};
}

std::optional<std::int64_t> number_of(std::string_view words) {
  std::int64_t value = 0;
  const char* end = words.data() + words.size();
  const auto [stop, failure] = std::from_chars(words.data(), end, value);
  if (failure != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::int64_t bytes_of(std::string_view size) {
  const std::size_t digits = std::min(size.find_first_not_of("0123456789"), size.size());
  const std::int64_t count = number_of(size.substr(0, digits)).value_or(0);
  if (digits == size.size()) return count;
  const std::size_t power = std::string_view("KMGT").find(size[digits]);
  return power == std::string_view::npos ? count : count << (10 * (power + 1));
}

std::vector<int> numbers_of(std::string_view list) {
  constexpr std::int64_t limit = 1 << 20;  // of a range: a broken file must not fill the memory
  std::vector<int> result;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view part = list.substr(0, comma);
    const std::size_t dash = std::min(part.find('-'), part.size());
    const auto first = number_of(part.substr(0, dash));
    const auto last = dash < part.size() ? number_of(part.substr(dash + 1)) : first;
    if (first && last && *first >= 0 && *last < limit) {
      for (std::int64_t number = *first; number <= *last; ++number) result.push_back(static_cast<int>(number));
    }
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace caesura::impl
