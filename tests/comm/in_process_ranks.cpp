// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/in_process.hpp>

#include <comm/contract/ranks.hpp>
#include <gtest/gtest.h>

namespace caesura::testing {

void each_rank(const std::function<void(const comm::Communicator&)>& body, const comm::CommunicatorOptions& options) {
  for (int count = 1; count <= ranks(); ++count) {
    SCOPED_TRACE(::testing::Message() << count << " ranks");
    comm::run_in_process(count, body, {options, {}});
    if (::testing::Test::HasFailure()) return;
  }
}

int ranks() { return 8; }

}  // namespace caesura::testing
