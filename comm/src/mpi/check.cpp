// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <mpi.h>
#include <mpi/check.hpp>

#include <cstddef>

namespace caesura::comm::impl {

std::string mpi_words(int code) {
  char words[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (MPI_Error_string(code, words, &length) != MPI_SUCCESS) return text("error ", code);
  std::string line(words, static_cast<std::size_t>(length));
  for (char& character : line) {
    if (character == '\n') character = ' ';  // MPICH prints a stack
  }
  return line;
}

void mpi_check(int code, std::string_view operation, std::string_view call, int rank) {
  require(
      code == MPI_SUCCESS, [&] { return text(operation, ": rank ", rank, ": ", call, ": ", mpi_words(code)); },
      ErrorKind::communication);
}

}  // namespace caesura::comm::impl
