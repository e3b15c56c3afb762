// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/json_value.hpp"

#include <caesura/error.hpp>

#include <algorithm>
#include <set>

namespace caesura::impl {

JsonValue JsonValue::parse(std::string_view json, const std::string& source) {
  std::vector<std::set<std::string>> keys;
  const auto no_key_twice = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) {
      const auto key = parsed.get<std::string>();
      require(keys.back().insert(key).second,
              [&] { return text(source, ": key \"", key, "\" stands twice in one object: must stand once"); });
    }
    return true;
  };
  try {
    auto root = std::make_shared<const nlohmann::json>(nlohmann::json::parse(json.begin(), json.end(), no_key_twice));
    const nlohmann::json* at = root.get();
    return {std::move(root), at, std::make_shared<const std::string>(source), ""};
  } catch (const nlohmann::json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string what = error.what();
    throw Error(ErrorKind::invalid_argument,
                text(source, ": ", what.substr(std::min(what.find("] ") + 2, what.size()))));
  }
}

JsonValue JsonValue::operator[](const std::string& key) const {
  if (!value().is_object()) fail("must be an object");
  if (!value().contains(key)) fail("must have \"" + key + "\"");
  return {root_, &value().at(key), source_, path_.empty() ? key : path_ + "." + key};
}

void JsonValue::fail(const std::string& rule) const {
  std::string shown = value().dump(-1, ' ', true);
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  throw Error(ErrorKind::invalid_argument, text(*source_, ": ", path_.empty() ? "" : path_ + " = ", shown, ": ", rule));
}

void JsonValue::require_keys(std::initializer_list<std::string_view> known) const {
  if (!value().is_object()) fail("must be an object");
  for (const auto& item : value().items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end())
      (*this)[item.key()].fail("unknown key, must be " + one_of(known));
  }
}

std::int64_t JsonValue::integer(std::int64_t least, std::int64_t most) const {
  const auto rule = [&] { return text("must be a whole number from ", least, " to ", most); };
  if (!value().is_number_integer()) fail(rule());
  if (value().is_number_unsigned() && value().get<std::uint64_t>() > std::uint64_t{INT64_MAX}) fail(rule());
  const auto number = value().get<std::int64_t>();
  if (number < least || number > most) fail(rule());
  return number;
}

double JsonValue::number() const {
  if (!value().is_number()) fail("must be a number");
  return value().get<double>();
}

std::string JsonValue::string() const {
  if (!value().is_string()) fail("must be a string");
  return value().get<std::string>();
}

std::vector<JsonValue> JsonValue::array() const {
  if (!value().is_array()) fail("must be an array");
  std::vector<JsonValue> entries;
  entries.reserve(value().size());
  for (std::size_t i = 0; i < value().size(); ++i)
    entries.push_back({root_, &value()[i], source_, path_ + "[" + std::to_string(i) + "]"});
  return entries;
}

std::vector<JsonValue> JsonValue::array(std::size_t count, const std::string& rule) const {
  if (!value().is_array() || value().size() != count) fail(rule);
  return array();
}

std::string one_of(std::initializer_list<std::string_view> names) {
  std::string result;
  std::size_t i = 0;
  for (const std::string_view name : names) {
    result += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + std::string(name);
    ++i;
  }
  return result;
}

}  // namespace caesura::impl
