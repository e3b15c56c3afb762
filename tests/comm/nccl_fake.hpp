// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <nccl.h>

#include <string>
#include <vector>

// NCCL and CUDA as far as the connection uses them, doing what a test tells them.

namespace caesura::testing {

/// How the next calls go. All functions may be called from any thread.
struct FakeNccl {
  int polls_until_ready = 0;             ///< of ncclCommGetAsyncError after a call that takes its time
  bool never_ready = false;              ///< it takes for ever
  ncclResult_t error = ncclSuccess;      ///< what ncclCommGetAsyncError finds
  ncclResult_t refuses = ncclSuccess;    ///< what a call inside a group returns
  bool started = true, complete = true;  ///< whether events before, and behind, transfers are complete
  bool capturing = false;                ///< whether streams are captured
};

void set_fake(const FakeNccl& fake);

/// The names of the calls so far that change something, in order; `ncclCommAbort` and so on.
std::vector<std::string> fake_calls();
int count_fake_calls(const std::string& name);
int fake_events();         ///< that exist
int fake_communicators();  ///< that exist

/// As a fence of a stream: waits until what is in it is complete or aborted; false: it never is, after some seconds.
bool fence_fake_stream();

/// As ncclCommInitRankConfig.
ncclResult_t make_fake_communicator(ncclComm_t* comm);

}  // namespace caesura::testing
