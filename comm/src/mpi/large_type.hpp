// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <mpi.h>

#include <cstdint>

namespace caesura::comm::impl {

/// Any number of bytes as the (count, type) that MPI's calls take: an `int` of bytes, or one of a derived type of large
/// blocks. MPI 4's calls with large counts would do without, but are missing in Open MPI 4.
class LargeType {
 public:
  /// \p rank is for the text of an error.
  LargeType(std::int64_t bytes, int rank);
  LargeType(LargeType&& other) noexcept;
  LargeType& operator=(LargeType&&) = delete;
  ~LargeType();

  int count() const { return count_; }
  MPI_Datatype type() const { return type_; }

 private:
  int count_ = 0;
  MPI_Datatype type_ = MPI_BYTE;
};

}  // namespace caesura::comm::impl
