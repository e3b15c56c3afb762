// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/solver/range_set.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::impl {

/// Consecutive global rows and where they lie on this rank.
struct LocalPiece {
  Range global;
  std::int64_t local = 0;

  Range local_rows() const { return {local, local + global.size()}; }
};

/// Which row of a local buffer holds which global row. Pieces are disjoint, by global row, as long as they can be.
class LocalRows {
 public:
  LocalRows() = default;

  /// Places \p rows one behind the other from local row \p at on.
  void add(const solver::RangeSet& rows, std::int64_t at);
  /// Places the blocks of \p block global rows that \p rows touch one behind the other: a row's local number is its
  /// global one modulo \p block. Into an empty object.
  void add_in_blocks(const solver::RangeSet& rows, std::int64_t block);

  std::span<const LocalPiece> pieces() const { return pieces_; }
  /// Local rows that a buffer must have.
  std::int64_t size() const { return size_; }
  /// The pieces of \p global, all of which must be here.
  std::vector<LocalPiece> find(Range global) const;
  bool contains(std::int64_t global) const;
  /// By local row: the global row there, 0 where there is none.
  std::vector<std::int32_t> positions() const;

 private:
  std::vector<LocalPiece> pieces_;
  std::int64_t size_ = 0;
};

/// How the slices of a mask may be joined.
enum class Joining : std::uint8_t {
  fewest,  ///< along queries and keys
  none     ///< all slices of a query begin and end together: a query's layers follow its keys, whatever else is here
};

/// The pairs of global \p slices by local rows, in few slices: where rows that were apart have become neighbors, so have
/// theirs.
std::vector<BandSlice> local_slices(std::span<const BandSlice> slices, const LocalRows& queries, const LocalRows& keys,
                                    Joining joining = Joining::fewest);

}  // namespace caesura::impl
