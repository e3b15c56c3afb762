// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>

#include <functional>

namespace caesura::testing {

/// Runs \p body on every rank of every communicator that the program tests: the one thing that programs which run the
/// contract suite define. Ranks are threads or processes; \p options are the communicator's.
void each_rank(const std::function<void(const comm::Communicator&)>& body,
               const comm::CommunicatorOptions& options = {});

/// The largest number of ranks that `each_rank` uses.
int ranks();

}  // namespace caesura::testing
