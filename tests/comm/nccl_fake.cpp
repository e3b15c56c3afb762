// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "nccl_fake.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

struct ncclComm {
  int polls_left = 0;
};

struct CUevent_st {
  bool behind = false;  // a transfer, not before it
};

namespace {

std::mutex mutex;
caesura::testing::FakeNccl now;
std::vector<std::string> calls;
std::set<ncclComm_t> communicators;
std::set<cudaEvent_t> events;
bool next_is_behind = false;
bool aborted = false;
bool in_group = false;

ncclResult_t takes_time(ncclComm_t comm) {
  comm->polls_left = now.polls_until_ready;
  return now.never_ready || now.polls_until_ready > 0 ? ncclInProgress : ncclSuccess;
}

ncclResult_t known(ncclComm_t comm) { return communicators.count(comm) ? ncclSuccess : ncclInvalidArgument; }

}  // namespace

namespace caesura::testing {

void set_fake(const FakeNccl& fake) {
  const std::lock_guard lock(mutex);
  now = fake;
  calls.clear();
  next_is_behind = aborted = in_group = false;
}

std::vector<std::string> fake_calls() {
  const std::lock_guard lock(mutex);
  return calls;
}

int count_fake_calls(const std::string& name) {
  const std::lock_guard lock(mutex);
  return static_cast<int>(std::count(calls.begin(), calls.end(), name));
}

int fake_events() {
  const std::lock_guard lock(mutex);
  return static_cast<int>(events.size());
}

int fake_communicators() {
  const std::lock_guard lock(mutex);
  return static_cast<int>(communicators.size());
}

bool fence_fake_stream() {
  for (int i = 0; i < 5000; ++i) {
    {
      const std::lock_guard lock(mutex);
      if (now.complete || aborted) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

ncclResult_t make_fake_communicator(ncclComm_t* comm) {
  const std::lock_guard lock(mutex);
  calls.push_back("ncclCommInitRankConfig");
  *comm = new ncclComm;
  communicators.insert(*comm);
  return takes_time(*comm);
}

}  // namespace caesura::testing

extern "C" {

ncclResult_t ncclCommSplit(ncclComm_t comm, int color, int, ncclComm_t* child, ncclConfig_t* config) {
  const std::lock_guard lock(mutex);
  calls.push_back("ncclCommSplit");
  if (known(comm) != ncclSuccess || config->blocking != 0) return ncclInvalidArgument;
  *child = nullptr;
  if (color != NCCL_SPLIT_NOCOLOR) {
    *child = new ncclComm;
    communicators.insert(*child);
    takes_time(*child);
  }
  return takes_time(comm);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  const std::lock_guard lock(mutex);
  if (known(comm) != ncclSuccess) return ncclInvalidArgument;
  *state = now.error;
  if (now.error == ncclSuccess && (now.never_ready || comm->polls_left > 0)) {
    --comm->polls_left;
    *state = ncclInProgress;
  }
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  const std::lock_guard lock(mutex);
  calls.push_back("ncclGroupStart");
  in_group = true;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  const std::lock_guard lock(mutex);
  calls.push_back("ncclGroupEnd");
  in_group = false;
  if (now.refuses != ncclSuccess) return now.refuses;
  for (const ncclComm_t comm : communicators) takes_time(comm);
  return now.never_ready || now.polls_until_ready > 0 ? ncclInProgress : ncclSuccess;
}

ncclResult_t ncclSend(const void*, size_t, ncclDataType_t, int, ncclComm_t comm, cudaStream_t) {
  const std::lock_guard lock(mutex);
  calls.push_back("ncclSend");
  if (!in_group || known(comm) != ncclSuccess) return ncclInvalidUsage;
  return now.refuses;
}

static ncclResult_t drop(ncclComm_t comm, const char* call) {
  const std::lock_guard lock(mutex);
  calls.push_back(call);
  if (known(comm) != ncclSuccess) return ncclInvalidArgument;
  communicators.erase(comm);
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  const ncclResult_t code = drop(comm, "ncclCommAbort");
  const std::lock_guard lock(mutex);
  aborted = true;
  return code;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) { return drop(comm, "ncclCommDestroy"); }

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const std::lock_guard lock(mutex);
  calls.push_back("ncclCommFinalize");
  if (known(comm) != ncclSuccess) return ncclInvalidArgument;
  return takes_time(comm);
}

ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
  const std::lock_guard lock(mutex);
  *rank = 1;
  return known(comm);
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int* count) {
  const std::lock_guard lock(mutex);
  *count = 3;
  return known(comm);
}

const char* ncclGetErrorString(ncclResult_t code) {
  return code == ncclRemoteError ? "remote process exited" : "some error";
}

const char* ncclGetLastError(ncclComm_t) { return "last words"; }

cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode*) { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t) { return "some CUDA error"; }

cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  const std::lock_guard lock(mutex);
  *status = now.capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  const std::lock_guard lock(mutex);
  *event = new CUevent_st;
  events.insert(*event);
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  events.erase(event);
  delete event;
  return cudaSuccess;
}

// A transfer records one before and one behind itself.
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  const std::lock_guard lock(mutex);
  if (now.capturing) return cudaErrorStreamCaptureUnsupported;
  calls.push_back("cudaEventRecord");
  event->behind = next_is_behind;
  next_is_behind = !next_is_behind;
  return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  return (event->behind ? now.complete : now.started) ? cudaSuccess : cudaErrorNotReady;
}

}  // extern "C"
