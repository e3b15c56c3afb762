// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <mpi/check.hpp>
#include <mpi/large_type.hpp>

#include <limits>
#include <utility>

namespace caesura::comm::impl {

namespace {

constexpr std::int64_t block_bytes = std::int64_t{1} << 30;

}  // namespace

LargeType::LargeType(std::int64_t bytes, int rank) {
  if (bytes <= std::numeric_limits<int>::max()) {
    count_ = static_cast<int>(bytes);
    return;
  }
  const auto check = [&](int code, const char* call) { mpi_check(code, "message", call, rank); };
  const std::int64_t blocks = bytes / block_bytes;  // fits into an int up to 2^61 bytes
  MPI_Datatype block = MPI_DATATYPE_NULL;
  check(MPI_Type_contiguous(static_cast<int>(block_bytes), MPI_BYTE, &block), "MPI_Type_contiguous");
  const int lengths[] = {static_cast<int>(blocks), static_cast<int>(bytes % block_bytes)};
  const MPI_Aint places[] = {0, static_cast<MPI_Aint>(blocks * block_bytes)};
  const MPI_Datatype types[] = {block, MPI_BYTE};
  check(MPI_Type_create_struct(2, lengths, places, types, &type_), "MPI_Type_create_struct");
  check(MPI_Type_free(&block), "MPI_Type_free");
  check(MPI_Type_commit(&type_), "MPI_Type_commit");
  count_ = 1;
}

LargeType::LargeType(LargeType&& other) noexcept
    : count_(std::exchange(other.count_, 0)), type_(std::exchange(other.type_, MPI_BYTE)) {}

LargeType::~LargeType() {
  if (type_ == MPI_BYTE) return;
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (!finalized) MPI_Type_free(&type_);  // messages under way keep what they need
}

}  // namespace caesura::comm::impl
