// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace caesura::impl {

/// A value of a JSON text with the path to it. Everything it does not expect throws `Error`:
/// `cluster.json: compute.tile = [128]: must be [rows, keys]`.
class JsonValue {
 public:
  /// \p source is what errors call the text. A key that stands twice in one object is an error.
  static JsonValue parse(std::string_view json, const std::string& source);

  bool has(const std::string& key) const { return value().contains(key); }
  bool is_null() const { return value().is_null(); }
  bool is_integer() const { return value().is_number_integer(); }
  /// \throws Error unless this is an object that has \p key.
  JsonValue operator[](const std::string& key) const;
  std::size_t size() const { return value().size(); }

  /// The value must be an object and have no other keys than these.
  void require_keys(std::initializer_list<std::string_view> known) const;
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  double number() const;
  std::string string() const;
  std::vector<JsonValue> array() const;
  /// An array of exactly \p count values; \p rule says which.
  std::vector<JsonValue> array(std::size_t count, const std::string& rule) const;
  [[noreturn]] void fail(const std::string& rule) const;

  const std::string& source() const { return *source_; }

 private:
  JsonValue(std::shared_ptr<const nlohmann::json> root, const nlohmann::json* at,
            std::shared_ptr<const std::string> source, std::string path)
      : root_(std::move(root)), at_(at), source_(std::move(source)), path_(std::move(path)) {}
  const nlohmann::json& value() const { return *at_; }

  std::shared_ptr<const nlohmann::json> root_;
  const nlohmann::json* at_;
  std::shared_ptr<const std::string> source_;
  std::string path_;
};

/// "a, b or c".
std::string one_of(std::initializer_list<std::string_view> names);

}  // namespace caesura::impl
