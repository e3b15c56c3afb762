// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <concepts>
#include <source_location>
#include <sstream>
#include <stdexcept>
#include <string>

namespace caesura {

/// What went wrong, for callers that react by kind.
enum class ErrorKind {
  invalid_argument,  ///< the caller's input breaks a rule
  unsupported,       ///< no kernel of this build does it; the message says which would
  communication,     ///< a peer or the network failed
  resources          ///< memory or scratch: bytes asked and bytes there
};

/// The one exception of the library. The text reads `function: argument = value: rule`.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, std::source_location where = std::source_location::current())
      : std::runtime_error(message), kind_(kind), where_(where) {}

  ErrorKind kind() const noexcept { return kind_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  ErrorKind kind_;
  std::source_location where_;
};

/// Joins its arguments into a text, as `operator<<` prints them.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream stream;
  (stream << ... << parts);
  return stream.str();
}

/// Throws `Error` with the text made by \p message unless \p ok. The text is made only on failure.
template <std::invocable Message>
void require(bool ok, Message&& message, ErrorKind kind = ErrorKind::invalid_argument,
             std::source_location where = std::source_location::current()) {
  if (!ok) throw Error(kind, message(), where);
}

}  // namespace caesura
