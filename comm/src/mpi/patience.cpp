// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <mpi/patience.hpp>

#include <algorithm>
#include <thread>

namespace caesura::comm::impl {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int spins = 128;                          // about 20 us: a message between two cores takes 1
constexpr auto silence = milliseconds(50);          // before the first sleep
constexpr auto longest_sleep = milliseconds(1);     // after 64 times as much silence
constexpr auto long_for_a_test = microseconds(20);  // it copied something: no silence

}  // namespace

bool Patience::pause() {
  if (++pauses_ <= spins) return true;
  const Clock::time_point now = Clock::now();
  if (pauses_ == spins + 1) begin_ = busy_ = last_ = now;  // most waits end before, and need no clock
  if (now - last_ > long_for_a_test) busy_ = now;
  if (now - busy_ < silence) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::min<Clock::duration>((now - busy_) / 64, longest_sleep));
  }
  last_ = Clock::now();
  return now - begin_ < timeout_;
}

}  // namespace caesura::comm::impl
