// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "json_reader.hpp"

#include "numbers.hpp"
#include "options.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <fstream>
#include <set>

namespace caesura::tools {

JsonValue JsonValue::read(const std::filesystem::path& file) {
  std::ifstream stream(file);
  require(stream.good() && !std::filesystem::is_directory(file),
          [&] { return text(file.string(), ": cannot be read: must be a JSON file"); });
  std::vector<std::set<std::string>> keys;
  const auto no_key_twice = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) {
      const auto key = parsed.get<std::string>();
      require(keys.back().insert(key).second, [&] {
        return text(file.string(), ": key ", quoted(key), " stands twice in one object: must stand once");
      });
    }
    return true;
  };
  try {
    const auto root = std::make_shared<const nlohmann::json>(nlohmann::json::parse(stream, no_key_twice));
    return {root, root.get(), file.string(), ""};
  } catch (const nlohmann::json::parse_error& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string what = error.what();
    throw Error(ErrorKind::invalid_argument,
                text(file.string(), ": ", what.substr(std::min(what.find("] ") + 2, what.size()))));
  }
}

JsonValue JsonValue::operator[](const std::string& key) const {
  return {root_, &value().at(key), file_, path_.empty() ? key : path_ + "." + key};
}

void JsonValue::fail(const std::string& rule) const {
  std::string shown = value().dump(-1, ' ', true);
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  throw Error(ErrorKind::invalid_argument, text(file_, ": ", path_.empty() ? "" : path_ + " = ", shown, ": ", rule));
}

void JsonValue::require_keys(std::initializer_list<std::string_view> known) const {
  if (!value().is_object()) fail("must be an object");
  for (const auto& item : value().items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
      (*this)[item.key()].fail("unknown key, must be " + one_of(std::span(known.begin(), known.size())));
    }
  }
}

std::int64_t JsonValue::integer(std::int64_t least, std::int64_t most) const {
  const auto rule = [&] { return text("must be a whole number from ", least, " to ", most); };
  if (!value().is_number_integer()) fail(rule());
  if (value().is_number_unsigned() && value().get<std::uint64_t>() > std::uint64_t(INT64_MAX)) fail(rule());
  const auto number = value().get<std::int64_t>();
  if (number < least || number > most) fail(rule());
  return number;
}

std::string JsonValue::string() const {
  if (!value().is_string()) fail("must be a string");
  return value().get<std::string>();
}

std::vector<JsonValue> JsonValue::array() const {
  if (!value().is_array()) fail("must be an array");
  std::vector<JsonValue> entries;
  entries.reserve(value().size());
  for (std::size_t i = 0; i < value().size(); ++i) {
    entries.push_back({root_, &value()[i], file_, text(path_, "[", i, "]")});
  }
  return entries;
}

std::pair<JsonValue, JsonValue> JsonValue::two(const std::string& rule) const {
  if (!value().is_array() || value().size() != 2) fail(rule);
  auto entries = array();
  return {entries[0], entries[1]};
}

}  // namespace caesura::tools
