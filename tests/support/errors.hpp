// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/error.hpp>

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace caesura::testing {

/// Checks that \p call throws `Error` of \p kind whose text contains all \p parts.
template <class Call>
void expect_error(ErrorKind kind, std::initializer_list<std::string_view> parts, const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << message;
    for (const std::string_view part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << "expected \"" << part << "\" in: " << message;
    }
    return;
  } catch (const std::exception& other) {
    ADD_FAILURE() << "expected caesura::Error, got: " << other.what();
    return;
  }
  ADD_FAILURE() << "expected an Error with \"" << *parts.begin() << "\", nothing was thrown";
}

/// The usual kind: the caller's input breaks a rule.
template <class Call>
void expect_invalid(std::initializer_list<std::string_view> parts, const Call& call) {
  expect_error(ErrorKind::invalid_argument, parts, call);
}

}  // namespace caesura::testing
