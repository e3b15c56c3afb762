// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/slice_source.hpp"
#include <caesura/impl/lowered_storage.hpp>

#include <Kokkos_Core.hpp>

// Lowering: from slices to row intervals, runs per tile, and an order of tiles. Four kernels, no host in between.

namespace caesura::impl {

/// The sorted, disjoint union of ranges, kept in place: range i at `ranges[i * stride]`. They come mostly in order.
class RunList {
 public:
  KOKKOS_FUNCTION RunList(TileRange* ranges, std::int64_t stride) : ranges_(ranges), stride_(stride) {}

  KOKKOS_FUNCTION void add(TileRange range) {
    std::int32_t at = count_;
    while (at > 0 && run(at - 1).begin > range.begin) --at;
    // Runs before `at` begin at or before the range; the one before it may touch it.
    if (at > 0 && run(at - 1).end >= range.begin) {
      --at;
      range.begin = run(at).begin;
    }
    std::int32_t after = at;
    for (; after < count_ && run(after).begin <= range.end; ++after) range.end = Kokkos::max(range.end, run(after).end);
    replace(at, after, range);
  }

  KOKKOS_FUNCTION std::int32_t count() const { return count_; }

 private:
  KOKKOS_FUNCTION TileRange& run(std::int32_t i) const { return ranges_[i * stride_]; }

  /// Puts \p range in the place of runs [at, after).
  KOKKOS_FUNCTION void replace(std::int32_t at, std::int32_t after, TileRange range) {
    if (after == at) {
      for (std::int32_t i = count_; i > at; --i) run(i) = run(i - 1);
    } else {
      for (std::int32_t i = after; i < count_; ++i) run(at + 1 + i - after) = run(i);
    }
    count_ += 1 - (after - at);
    run(at) = range;
  }

  TileRange* ranges_;
  std::int64_t stride_;
  std::int32_t count_ = 0;
};

/// Work item: the rows of one tile in one layer.
template <class Source>
struct LowerTiles {
  Source source;
  std::int64_t rows;
  std::int32_t tiles;
  std::int32_t* first;
  std::int32_t* last;
  TileRange* runs;
  std::int32_t* run_counts;

  KOKKOS_FUNCTION void operator()(std::int64_t item) const {
    const auto layer = static_cast<std::int32_t>(item / tiles);
    const std::int64_t tile = item % tiles;
    const std::int64_t end = Kokkos::min((tile + 1) * tile_rows, rows);
    RunList list(runs + std::int64_t{layer} * tile_rows * tiles + tile, tiles);
    for (std::int64_t row = tile * tile_rows; row < end;) {
      const SlicePiece piece = source.find(layer, row);
      const Range all{row, Kokkos::min(piece.end, end)};
      const Range seeing = intersect(all, piece.slice.q());
      write_empty(layer, {all.begin, seeing.empty() ? all.end : seeing.begin});
      if (!seeing.empty()) {
        write(layer, seeing, piece.slice);
        write_empty(layer, {seeing.end, all.end});
        // In a tight slice the intervals of consecutive rows touch, so their union is one range.
        list.add({static_cast<std::int32_t>(piece.slice.keys_of(seeing.begin).begin),
                  static_cast<std::int32_t>(piece.slice.keys_of(seeing.end - 1).end)});
      }
      row = all.end;
    }
    run_counts[item] = list.count();
  }

 private:
  KOKKOS_FUNCTION void write_empty(std::int32_t layer, Range range) const {
    for (std::int64_t row = range.begin; row < range.end; ++row) {
      first[layer * rows + row] = 0;
      last[layer * rows + row] = 0;
    }
  }

  KOKKOS_FUNCTION void write(std::int32_t layer, Range range, const BandSlice& slice) const {
    // Diagonals are pulled in to what these rows can tell apart: then 32 bits hold every sum.
    const auto lo = static_cast<std::int32_t>(Kokkos::max(slice.diagonal_lo, slice.k_begin - range.end));
    const auto hi = static_cast<std::int32_t>(Kokkos::min(slice.diagonal_hi, slice.k_end - range.begin));
    const auto k_begin = static_cast<std::int32_t>(slice.k_begin);
    const auto k_end = static_cast<std::int32_t>(slice.k_end);
    const auto q_begin = static_cast<std::int32_t>(range.begin);
    const auto count = static_cast<std::int32_t>(range.size());
    std::int32_t* firsts = first + layer * rows + range.begin;
    std::int32_t* lasts = last + layer * rows + range.begin;
    for (std::int32_t i = 0; i < count; ++i) {
      const std::int32_t row = q_begin + i;
      firsts[i] = Kokkos::max(k_begin, row + lo);
      lasts[i] = Kokkos::min(k_end, row + hi + 1);
    }
  }
};

/// The cost of a tile, as a bucket: four to each doubling, the most expensive first.
KOKKOS_FUNCTION inline std::int32_t cost_bucket(std::int64_t cost, std::int64_t buckets) {
  std::int32_t exponent = 0;
  while ((cost >> exponent) > 7) ++exponent;
  const std::int64_t rank = 4 * exponent + (cost >> exponent);
  return static_cast<std::int32_t>(rank < buckets ? buckets - 1 - rank : 0);
}

/// A stable counting sort of tiles by cost bucket: count per chunk, scan, place.
template <class Storage>
struct OrderTiles {
  struct Count {};
  struct Scan {};
  struct Place {};

  TileSchedule schedule;
  std::int32_t layers;
  std::int32_t* order;
  std::int32_t* ranks;  // (order_buckets, order_chunks)

  KOKKOS_FUNCTION std::int32_t bucket_of(std::int64_t tile) const {
    std::int64_t cost = 0;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      for (std::int32_t i = 0; i < schedule.run_count(layer, tile); ++i) {
        const TileRange run = schedule.run(layer, tile, i);
        cost += run.end - run.begin;
      }
    }
    return cost_bucket(cost, Storage::order_buckets);
  }

  KOKKOS_FUNCTION Range tiles_of(std::int64_t chunk) const {
    const std::int64_t size = (schedule.tiles + Storage::order_chunks - 1) / Storage::order_chunks;
    return intersect(Range{chunk * size, (chunk + 1) * size}, Range{0, schedule.tiles});
  }

  KOKKOS_FUNCTION std::int32_t& rank(std::int64_t bucket, std::int64_t chunk) const {
    return ranks[bucket * Storage::order_chunks + chunk];
  }

  KOKKOS_FUNCTION void operator()(Count, std::int64_t chunk) const {
    for (std::int64_t bucket = 0; bucket < Storage::order_buckets; ++bucket) rank(bucket, chunk) = 0;
    const Range own = tiles_of(chunk);
    for (std::int64_t tile = own.begin; tile < own.end; ++tile) ++rank(bucket_of(tile), chunk);
  }

  KOKKOS_FUNCTION void operator()(Scan, std::int64_t i, std::int32_t& sum, bool is_final) const {
    const std::int32_t count = ranks[i];
    if (is_final) ranks[i] = sum;
    sum += count;
  }

  KOKKOS_FUNCTION void operator()(Place, std::int64_t chunk) const {
    const Range own = tiles_of(chunk);
    for (std::int64_t tile = own.begin; tile < own.end; ++tile) {
      order[rank(bucket_of(tile), chunk)++] = static_cast<std::int32_t>(tile);
    }
  }
};

/// Fills \p storage from \p source. Asynchronous on \p space, without fences and copies.
template <class Space, class Source>
void lower(const Space& space, const Source& source, const LoweredStorage<typename Space::memory_space>& storage) {
  using Storage = LoweredStorage<typename Space::memory_space>;
  using Index = Kokkos::IndexType<std::int64_t>;
  const LowerTiles<Source> tiles{source,         storage.rows(), storage.tiles(),     storage.first(),
                                 storage.last(), storage.runs(), storage.run_counts()};
  Kokkos::parallel_for("caesura::lower::tiles",
                       Kokkos::RangePolicy<Space, Index>(space, 0, std::int64_t{storage.tiles()} * storage.layers()),
                       tiles);

  using Order = OrderTiles<Storage>;
  const Order order{storage.view().schedule, storage.layers(), storage.order(), storage.ranks()};
  Kokkos::parallel_for("caesura::lower::count",
                       Kokkos::RangePolicy<Space, Index, typename Order::Count>(space, 0, Storage::order_chunks),
                       order);
  Kokkos::parallel_scan(
      "caesura::lower::scan",
      Kokkos::RangePolicy<Space, Index, typename Order::Scan>(space, 0, Storage::order_chunks * Storage::order_buckets),
      order);
  Kokkos::parallel_for("caesura::lower::place",
                       Kokkos::RangePolicy<Space, Index, typename Order::Place>(space, 0, Storage::order_chunks),
                       order);
}

}  // namespace caesura::impl
