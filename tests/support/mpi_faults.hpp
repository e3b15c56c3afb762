// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/error.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace caesura::testing {

/// A line that mpi_faults.py reads.
inline void print_of(int rank, const std::string& what) {
  std::printf("rank %d: %s\n", rank, what.c_str());
  std::fflush(stdout);
}

/// Calls \p step with 0, 1, ... as often as \p rounds says, until it throws; then once more, which should fail at once. Prints what came of it
/// and leaves the way a program should after a communication error.
template <class Step>
[[noreturn]] void run_until_failure(int rank, int rounds, const Step& step) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point begin) {
    return std::to_string(std::chrono::duration<double>(Clock::now() - begin).count());
  };
  print_of(rank, "process " + std::to_string(getpid()));
  Clock::time_point begin = Clock::now();
  int round = 0;
  try {
    for (; round < rounds; ++round) {
      begin = Clock::now();
      step(round);
    }
  } catch (const Error& error) {
    const bool is_communication = error.kind() == ErrorKind::communication;
    print_of(rank, (is_communication ? "error after " : "ANOTHER KIND after ") + seconds_since(begin) +
                       " s: " + error.what());
    begin = Clock::now();
    try {
      step(round + 1);
      print_of(rank, "next call works");
    } catch (const Error& next) {
      print_of(rank, "next call after " + seconds_since(begin) + " s: " + next.what());
    }
    // Ranks that are gone never come to MPI_Finalize: whoever calls it waits for them forever.
    std::_Exit(7);
  }
  print_of(rank, "no error");
  std::_Exit(0);
}

}  // namespace caesura::testing
