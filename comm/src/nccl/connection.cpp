// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <nccl/check.hpp>
#include <nccl/connection.hpp>

#include <algorithm>
#include <utility>

namespace caesura::comm::impl {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// How often the guard looks: often enough that the time-out is kept to a tenth, seldom enough to cost nothing.
NcclWatch::Clock::duration period(NcclWatch::Clock::duration timeout) {
  return std::clamp<NcclWatch::Clock::duration>(timeout / 10, milliseconds(1), milliseconds(200));
}

}  // namespace

NcclConnection::NcclConnection(int rank, int device, Clock::duration timeout)
    : rank_(rank), device_(device), timeout_(timeout), watch_(timeout), guard_([this] { look_after(); }) {}

NcclConnection::~NcclConnection() {
  {
    Lock lock(mutex_);
    finalize(lock);
    ending_ = true;
  }
  something_to_watch_.notify_one();
  guard_.join();
}

void NcclConnection::connect(const NcclWork& work, const char* name,
                             const std::function<ncclResult_t(ncclComm_t*)>& call) {
  Lock lock(mutex_);
  check(call(&comm_), work, name);
  settle(work, lock);
}

void NcclConnection::split(const NcclWork& work, int color, int key, NcclConnection& child) {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  Lock lock(mutex_);
  settle(work, lock);
  // Straight into the child: NCCL may write it as late as when this communicator is ready again.
  const int nccl_color = color < 0 ? NCCL_SPLIT_NOCOLOR : color;
  check(ncclCommSplit(comm_, nccl_color, key, &child.comm_, &config), work, "ncclCommSplit");
  settle(work, lock);
  lock.unlock();
  if (Lock childs(child.mutex_); child.comm_) child.settle(work, childs);
}

void NcclConnection::place(const NcclWork& work, int& rank, int& size) {
  const Lock lock(mutex_);
  check(ncclCommUserRank(comm_, &rank), work, "ncclCommUserRank");
  check(ncclCommCount(comm_, &size), work, "ncclCommCount");
}

void NcclConnection::launch(const std::shared_ptr<const NcclWork>& work, cudaStream_t stream,
                            const std::function<Returned(ncclComm_t)>& call) {
  Lock lock(mutex_);
  settle(*work, lock);  // NCCL takes nothing new while it is at something
  watch_.begin(work, stream);
  check(ncclGroupStart(), *work, "ncclGroupStart");
  const Returned inside = call(comm_);
  // A group must end, also one with a call that was refused.
  const ncclResult_t code = ncclGroupEnd();
  check(inside.code, *work, inside.call);
  check(code, *work, "ncclGroupEnd");
  launching_ = true;
  stream_ = stream;
  if (code == ncclSuccess) finish_launch();
}

bool NcclConnection::launched(const NcclWork& work) {
  const Lock lock(mutex_);
  return ready(work);
}

void NcclConnection::wait_launched(const NcclWork& work) {
  Lock lock(mutex_);
  settle(work, lock);
}

void NcclConnection::check(ncclResult_t code, const NcclWork& work, const char* call) {
  if (code != ncclSuccess && code != ncclInProgress) fail(nccl_words(code, work, call, comm_));
}

bool NcclConnection::ready(const NcclWork& work) {
  require(
      failure_.empty(), [&] { return text(work.text(), ": the communicator has failed: ", failure_); },
      ErrorKind::communication);
  require(
      comm_ != nullptr, [&] { return text(work.text(), ": there is no communicator"); }, ErrorKind::communication);
  ncclResult_t state = ncclSuccess;
  check(ncclCommGetAsyncError(comm_, &state), work, "ncclCommGetAsyncError");
  if (state == ncclInProgress) return false;
  check(state, work, "ncclCommGetAsyncError");
  finish_launch();
  if (auto wrong = watch_.look()) fail(*std::move(wrong));
  return true;
}

void NcclConnection::settle(const NcclWork& work, Lock& lock) {
  const Clock::time_point begin = Clock::now();
  for (int round = 0; !ready(work); ++round) {
    const std::chrono::duration<double> elapsed = Clock::now() - begin;
    if (elapsed > timeout_) {
      fail(text(work.text(), ": NCCL not ready after ", elapsed.count(), " s (time-out ",
                std::chrono::duration<double>(timeout_).count(), " s)"));
    }
    lock.unlock();
    // A launch takes microseconds, a connection milliseconds.
    if (round < 1000) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(microseconds(100));
    }
    lock.lock();
  }
}

void NcclConnection::finish_launch() {
  if (!std::exchange(launching_, false)) return;
  watch_.end(stream_);
  something_to_watch_.notify_one();
}

void NcclConnection::fail(std::string words) {
  abort(words);
  throw Error(ErrorKind::communication, words);
}

void NcclConnection::abort(std::string words) noexcept {
  failure_ = std::move(words);
  launching_ = false;
  // Ends its kernels: streams go on, with rows in them that are not to be used.
  if (comm_) static_cast<void>(ncclCommAbort(std::exchange(comm_, nullptr)));
  watch_.forget();
}

void NcclConnection::look_after() {
  static_cast<void>(cudaSetDevice(device_));
  // Otherwise a query here would break a capture into a graph that is under way in the rank's thread.
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  static_cast<void>(cudaThreadExchangeStreamCaptureMode(&mode));
  const NcclWork nothing{.operation = "NcclCommunicator", .rank = rank_, .to = {}, .from = {}};
  Lock lock(mutex_);
  while (!ending_) {
    if (watch_.empty()) {
      something_to_watch_.wait(lock);
      continue;
    }
    something_to_watch_.wait_for(lock, period(timeout_), [this] { return ending_; });
    if (ending_ || !comm_) continue;
    ncclResult_t state = ncclSuccess;
    if (const ncclResult_t code = ncclCommGetAsyncError(comm_, &state); code != ncclSuccess) state = code;
    if (state != ncclSuccess && state != ncclInProgress) {
      abort(nccl_words(state, nothing, "ncclCommGetAsyncError", comm_));
    } else if (auto wrong = watch_.look()) {
      abort(*std::move(wrong));
    }
  }
}

void NcclConnection::finalize(Lock& lock) {
  if (!comm_) return;
  const NcclWork work{.operation = "~NcclCommunicator", .rank = rank_, .to = {}, .from = {}};
  try {
    settle(work, lock);
    const Clock::time_point begin = Clock::now();
    while (comm_ && !watch_.empty()) {  // what is in streams needs the communicator
      if (auto wrong = watch_.look()) fail(*std::move(wrong));
      if (Clock::now() - begin > timeout_) fail(text(work.text(), ": streams not complete"));
      lock.unlock();
      std::this_thread::sleep_for(microseconds(50));
      lock.lock();
    }
    if (!comm_) return;
    check(ncclCommFinalize(comm_), work, "ncclCommFinalize");
    settle(work, lock);
    check(ncclCommDestroy(std::exchange(comm_, nullptr)), work, "ncclCommDestroy");
  } catch (const Error&) {  // aborted; a destructor has nobody to tell
  }
}

}  // namespace caesura::comm::impl
