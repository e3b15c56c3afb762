// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <gtest/gtest.h>

#include <string>

namespace caesura::testing {
namespace {

TEST(Error, CarriesKindTextAndPlace) {
  const int line = __LINE__ + 2;
  try {
    require(
        false, [] { return text("f: x = ", 3, ": must be even"); }, ErrorKind::unsupported);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_STREQ(error.what(), "f: x = 3: must be even");
    EXPECT_EQ(static_cast<int>(error.where().line()), line);
    EXPECT_NE(std::string(error.where().file_name()).find("error_test.cpp"), std::string::npos);
  }
}

TEST(Error, IsARuntimeError) { EXPECT_THROW(throw Error(ErrorKind::resources, "no memory"), std::runtime_error); }

TEST(Error, TextIsMadeOnFailureOnly) {
  bool made = false;
  const auto message = [&] { return made = true, std::string("made"); };
  require(true, message);
  EXPECT_FALSE(made);
  EXPECT_THROW(require(false, message), Error);
  EXPECT_TRUE(made);
}

TEST(Error, TextJoinsItsParts) { EXPECT_EQ(text("a", 1, ' ', 2.5, std::string("b")), "a1 2.5b"); }

}  // namespace
}  // namespace caesura::testing
