// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace caesura::tools {

/// A value of a JSON file with the path to it. Everything it does not expect throws `Error`:
/// `mask.json: slices[3].q = [5,2]: must ...`.
class JsonValue {
 public:
  /// Keys that stand twice in one object are an error too.
  static JsonValue read(const std::filesystem::path& file);

  bool has(const std::string& key) const { return value().contains(key); }
  bool is_null() const { return value().is_null(); }
  JsonValue operator[](const std::string& key) const;

  /// The value must be an object and have no other keys than these.
  void require_keys(std::initializer_list<std::string_view> known) const;
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  std::string string() const;
  std::vector<JsonValue> array() const;
  /// An array of exactly two values; \p rule says which.
  std::pair<JsonValue, JsonValue> two(const std::string& rule) const;
  [[noreturn]] void fail(const std::string& rule) const;

  const std::string& path() const { return path_; }

 private:
  JsonValue(std::shared_ptr<const nlohmann::json> root, const nlohmann::json* at, std::string file, std::string path)
      : root_(std::move(root)), at_(at), file_(std::move(file)), path_(std::move(path)) {}
  const nlohmann::json& value() const { return *at_; }

  std::shared_ptr<const nlohmann::json> root_;
  const nlohmann::json* at_;
  std::string file_;
  std::string path_;
};

}  // namespace caesura::tools
