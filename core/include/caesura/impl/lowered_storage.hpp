// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/problem.hpp>

#include <Kokkos_Core.hpp>

#include <cstdint>
#include <string>

// The memory of an `AttentionPlan`. Not for users: they see `AttentionPlan` and the plain structs of problem.hpp.

namespace caesura::impl {

/// Rows per tile of every schedule. A kernel may work on smaller tiles; it then uses its share of a tile's runs.
inline constexpr std::int32_t tile_rows = 128;

/// Throws `Error` if \p Space cannot have \p bytes more; `what` says for which part of which function.
template <class MemorySpace>
void require_memory(std::int64_t bytes, const char* what);

/// A one-dimensional allocation without initialization and, on hosts, without a fence; failure is an `Error`.
template <class Value, class Space>
Kokkos::View<Value*, typename Space::memory_space> allocate(const Space& space, std::int64_t size, const char* label) {
  require_memory<typename Space::memory_space>(size * static_cast<std::int64_t>(sizeof(Value)), label);
  return Kokkos::View<Value*, typename Space::memory_space>(
      Kokkos::view_alloc(space, Kokkos::WithoutInitializing, std::string(label)), static_cast<std::size_t>(size));
}

/// Intervals and schedule of one side.
template <class MemorySpace>
class LoweredStorage {
 public:
  LoweredStorage() = default;

  template <class Space>
  LoweredStorage(const Space& space, std::int64_t rows, std::int32_t layers)
      : rows_(rows), layers_(layers), tiles_(static_cast<std::int32_t>((rows + tile_rows - 1) / tile_rows)) {
    first_ = allocate<std::int32_t>(space, rows * layers, "caesura::plan::first");
    last_ = allocate<std::int32_t>(space, rows * layers, "caesura::plan::last");
    runs_ = allocate<TileRange>(space, std::int64_t{tiles_} * tile_rows * layers, "caesura::plan::runs");
    run_counts_ = allocate<std::int32_t>(space, std::int64_t{tiles_} * layers, "caesura::plan::run_counts");
    order_ = allocate<std::int32_t>(space, tiles_, "caesura::plan::order");
    ranks_ = allocate<std::int32_t>(space, order_chunks * order_buckets, "caesura::plan::ranks");
  }

  std::int64_t rows() const { return rows_; }
  std::int32_t layers() const { return layers_; }

  std::int64_t bytes() const {
    return static_cast<std::int64_t>(
        (first_.size() + last_.size() + run_counts_.size() + order_.size() + ranks_.size()) * sizeof(std::int32_t) +
        runs_.size() * sizeof(TileRange));
  }

  Lowered view() const {
    return {{layers_, rows_, first_.data(), last_.data()},
            {tile_rows, tiles_, runs_.data(), run_counts_.data(), order_.data()}};
  }

  // The order is a counting sort over logarithmic cost buckets, in chunks of tiles.
  static constexpr std::int64_t order_chunks = 64;
  static constexpr std::int64_t order_buckets = 192;

  std::int32_t* first() const { return first_.data(); }
  std::int32_t* last() const { return last_.data(); }
  TileRange* runs() const { return runs_.data(); }
  std::int32_t* run_counts() const { return run_counts_.data(); }
  std::int32_t* order() const { return order_.data(); }
  std::int32_t* ranks() const { return ranks_.data(); }
  std::int32_t tiles() const { return tiles_; }

 private:
  std::int64_t rows_ = 0;
  std::int32_t layers_ = 0;
  std::int32_t tiles_ = 0;
  Kokkos::View<std::int32_t*, MemorySpace> first_, last_;  // (layers, rows)
  Kokkos::View<TileRange*, MemorySpace> runs_;             // (layers, tile_rows, tiles)
  Kokkos::View<std::int32_t*, MemorySpace> run_counts_;    // (layers, tiles)
  Kokkos::View<std::int32_t*, MemorySpace> order_;         // (tiles)
  Kokkos::View<std::int32_t*, MemorySpace> ranks_;         // (order_buckets, order_chunks)
};

/// The slices of a host mask, where the kernels that lower them can read them. Slices of one layer share no query.
template <class MemorySpace>
struct LayeredSlices {
  std::int32_t layers = 0;
  Kokkos::View<BandSlice*, MemorySpace> slices;          // by layer, then by first query
  Kokkos::View<std::int64_t*, MemorySpace> layer_begin;  // (layers + 1)
};

/// The extents of checked offsets, for the text of an error.
struct OffsetExtents {
  std::int64_t batch = 1;
  std::int64_t entries = 1;
  std::int64_t total_q = 0;
  std::int64_t total_k = 0;
};

/// What a check of device offsets found: code (or `ok`), the entry's value, the entry before it.
template <class MemorySpace>
using OffsetStatus = Kokkos::View<std::int64_t*, MemorySpace>;

}  // namespace caesura::impl
