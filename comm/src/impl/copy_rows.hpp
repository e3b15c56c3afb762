// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/memory.hpp"
#include "impl/row_layout.hpp"
#include <caesura/comm/impl/instance.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace caesura::comm::impl {

/// Rows to be copied from one place to another.
struct RowPiece {
  std::int64_t source = 0;  ///< first row there
  std::int64_t target = 0;
  std::int64_t rows = 0;
};

/// The rows that a kernel copies, cut so that its work items are alike.
class CopyTable {
 public:
  CopyTable() = default;
  CopyTable(const Instance& instance, const std::vector<RowPiece>& pieces, std::int64_t row_bytes);

  bool empty() const { return pieces_.size() == 0; }
  const Table<RowPiece>& pieces() const { return pieces_; }
  std::int64_t bytes() const { return pieces_.bytes(); }
  /// Of the rows.
  std::int64_t copied_bytes() const { return copied_bytes_; }

 private:
  std::int64_t copied_bytes_ = 0;
  Table<RowPiece> pieces_;
};

/// Copies rows of equal packed size, in words as wide as both sides allow. Asynchronous on \p instance.
void copy_rows(const Instance& instance, const std::string& label, const RowLayout& source, const RowLayout& target,
               const CopyTable& table);

}  // namespace caesura::comm::impl
