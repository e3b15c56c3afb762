// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/mask.hpp>
#include <caesura/solver/cluster.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver {

/// One attention layer as the solver sees it: what a pair costs and what a row weighs.
struct LayerShape {
  std::int32_t heads_q = 64;
  std::int32_t heads_kv = 8;
  std::int32_t dim_qk = 128;
  std::int32_t dim_v = 128;
  std::int32_t scalar_bytes = 2;

  /// Of one visible pair, forward.
  double flops_per_pair() const { return 2.0 * (dim_qk + dim_v) * heads_q; }
  /// One K and one V row, all heads.
  std::int64_t key_row_bytes() const { return std::int64_t{heads_kv} * (dim_qk + dim_v) * scalar_bytes; }
  std::int64_t query_row_bytes() const { return std::int64_t{heads_q} * dim_qk * scalar_bytes; }
  /// A partial result: out in the scalar type and lse in float.
  std::int64_t output_row_bytes() const { return std::int64_t{heads_q} * (std::int64_t{dim_v} * scalar_bytes + 4); }

  /// \throws Error in the name of \p function where an extent is not positive or heads do not divide.
  void validate(const char* function) const;
  friend bool operator==(const LayerShape&, const LayerShape&) = default;
};

/// How often each pass runs in what is being planned.
struct PassWeights {
  double forward = 1;
  double backward = 0;
  friend bool operator==(const PassWeights&, const PassWeights&) = default;
};

/// The tiles that a kernel visits in \p slice: its rows are cut every `tile.rows`, from its first row on, and the keys that
/// each block of rows sees (from the first to the last) every `tile.keys`. Closed form, O(log).
std::int64_t tile_count(const BandSlice& slice, TileShape tile);

/// The pairs in those tiles, partial tiles whole; a last block of fewer rows counts its rows alone, because kernels fill tiles
/// across the borders of documents. `{1, 1}` gives the visible pairs of a slice. Closed form, O(log).
std::int64_t tile_cost(const BandSlice& slice, TileShape tile);
std::int64_t tile_cost(std::span<const BandSlice> slices, TileShape tile);

/// Everything a kernel does for the slices, in pairs: `tile_cost` and the fixed costs of tiles and rows.
double work(std::span<const BandSlice> slices, const ComputeRates& rates);

/// Seconds that \p pairs of work take.
double compute_seconds(double pairs, const LayerShape& layer, const ComputeRates& rates, const PassWeights& passes);

/// Seconds that \p rows K/V rows take on \p link. The backward sends them again and returns their gradients in float.
double transfer_seconds(std::int64_t rows, const LayerShape& layer, const Link& link, const PassWeights& passes);

/// The visible pairs of each query row, summed: `pairs(rows)` for any range of rows in O(log slices).
/// Within each of its pieces the pairs of a row are a linear function of the row.
class RowProfile {
 public:
  explicit RowProfile(const Mask& mask) : RowProfile(mask.slices(), mask.total_q()) {}
  /// Of tight \p slices with rows below \p total_q. Transposed slices give the pairs of keys.
  RowProfile(std::span<const BandSlice> slices, std::int64_t total_q);

  /// Visible pairs of the rows below \p row.
  std::int64_t pairs_below(std::int64_t row) const;
  std::int64_t pairs(Range rows) const { return rows.empty() ? 0 : pairs_below(rows.end) - pairs_below(rows.begin); }
  /// Visible pairs of one row.
  std::int64_t density(std::int64_t row) const { return pairs({row, row + 1}); }
  /// The first row at which `pairs_below` reaches \p pairs; `total_q` if it never does.
  std::int64_t row_of(std::int64_t pairs) const;

  std::int64_t total_q() const { return total_q_; }

  /// Rows from `begin` on, to the next piece, see `first + slope * (row - begin)` keys.
  struct Piece {
    std::int64_t begin;
    std::int64_t below;  ///< pairs of all rows before `begin`
    std::int64_t first;
    std::int64_t slope;

    std::int64_t pairs_below(std::int64_t row) const {
      const std::int64_t rows = row - begin;
      return below + rows * first + rows * (rows - 1) / 2 * slope;
    }
  };
  /// By row, the first at row 0.
  std::span<const Piece> pieces() const { return pieces_; }

 private:
  const Piece& piece_of(std::int64_t row) const;

  std::int64_t total_q_;
  std::vector<Piece> pieces_;
};

}  // namespace caesura::solver
