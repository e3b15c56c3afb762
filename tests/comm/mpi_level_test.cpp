// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/comm/mpi.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>
#include <mpi.h>

#include <thread>

// What MPI must have been asked for (CAESURA_MPI_LEVEL, mpi_main.cpp): each test is run alone, at its own level.

namespace caesura::testing {
namespace {

void expect_refused(const char* rule) {
  expect_error(ErrorKind::communication, {"MpiCommunicator: ", rule},
               [] { const comm::MpiCommunicator communicator(MPI_COMM_WORLD); });
}

TEST(MpiLevel, SingleIsRefused) {
  expect_refused("MPI was initialized with MPI_THREAD_SINGLE: call MPI_Init_thread with MPI_THREAD_FUNNELED or more");
}

TEST(MpiLevel, FunneledIsForTheThreadThatInitializedMpi) {
  std::thread([] {
    expect_refused("with MPI_THREAD_FUNNELED only the thread that initialized MPI may use it");
  }).join();
}

}  // namespace
}  // namespace caesura::testing
