// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>
#include <caesura/solver/workload.hpp>

#include <algorithm>

namespace caesura::solver {

namespace {

/// Sum over i in [0, n) of floor((slope i + start) / divisor); nothing negative, divisor positive.
/// Lattice points under a line, by Euclid's steps on (slope, divisor): Graham, Knuth & Patashnik, Concrete Mathematics,
/// 3.5.
std::int64_t floor_sum(std::int64_t n, std::int64_t divisor, std::int64_t slope, std::int64_t start) {
  std::int64_t sum = 0;
  while (n > 0) {
    sum += n * (start / divisor);
    start %= divisor;
    if (slope >= divisor) {
      sum += (n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n) * (slope / divisor);
      slope %= divisor;
    }
    const std::int64_t last = slope * n + start;
    if (last < divisor) break;
    // Columns and rows change places.
    n = last / divisor;
    start = last % divisor;
    std::swap(divisor, slope);
  }
  return sum;
}

/// Sum over i in [0, n) of ceil((start + slope i) / divisor), all values positive.
std::int64_t ceil_sum(std::int64_t n, std::int64_t divisor, std::int64_t slope, std::int64_t start) {
  if (n <= 0) return 0;
  if (slope == 0) return n * ((start + divisor - 1) / divisor);
  if (slope < 0) return ceil_sum(n, divisor, -slope, start + slope * (n - 1));
  return floor_sum(n, divisor, slope, start + divisor - 1);
}

/// The tiles that full blocks of rows visit, and those of the last block if it has fewer rows.
struct TileCounts {
  std::int64_t full = 0;
  std::int64_t last = 0;
  std::int64_t last_rows = 0;
};

TileCounts tile_counts(const BandSlice& given, TileShape tile) {
  const BandSlice slice = given.tight();
  if (slice.q().empty()) return {};
  // Positions are counted from the corner. In a tight slice no row is empty and both ends of a row never move left, so
  // rows [a, b) see the keys [max(a + lo, 0), min(b + hi, columns)) together.
  const std::int64_t rows = slice.q_end - slice.q_begin;
  const std::int64_t columns = slice.k_end - slice.k_begin;
  const std::int64_t shift = slice.q_begin - slice.k_begin;
  const std::int64_t lo = slice.diagonal_lo + shift;
  const std::int64_t hi = slice.diagonal_hi + shift;
  const std::int64_t step = tile.rows;
  const std::int64_t blocks = rows / step;

  TileCounts counts;
  // Block i has a = i step, b = a + step. Its upper end lies on the diagonal before block `upper`, its lower end from
  // block `lower` on; between two such borders the number of keys is a linear function of i.
  const std::int64_t upper_room = columns - hi - step;
  const std::int64_t upper = upper_room <= 0 ? 0 : std::min(blocks, (upper_room + step - 1) / step);
  const std::int64_t lower = lo >= 0 ? 0 : std::min(blocks, (-lo + step - 1) / step);
  const std::int64_t first = std::min(upper, lower);
  const std::int64_t second = std::max(upper, lower);
  counts.full = ceil_sum(first, tile.keys, step, step + hi);
  counts.full += upper < lower ? ceil_sum(second - first, tile.keys, 0, columns)
                               : ceil_sum(second - first, tile.keys, 0, step + hi - lo);
  counts.full += ceil_sum(blocks - second, tile.keys, -step, columns - second * step - lo);

  const std::int64_t begin = blocks * step;
  if (begin < rows) {
    const std::int64_t keys = std::min(rows + hi, columns) - std::max<std::int64_t>(begin + lo, 0);
    counts.last = (keys + tile.keys - 1) / tile.keys;
    counts.last_rows = rows - begin;
  }
  return counts;
}

std::int64_t cost_of(const TileCounts& counts, TileShape tile) {
  return (counts.full * tile.rows + counts.last * counts.last_rows) * tile.keys;
}

/// A backward costs so many times the FLOPs of a forward: five products of matrices instead of two.
constexpr double backward_work = 2.5;
/// Gradients of rows are summed in float whatever the scalar.
constexpr double gradient_bytes = 4;

}  // namespace

void LayerShape::validate(const char* function) const {
  const auto positive = [&](std::int32_t value, const char* name) {
    require(value >= 1, [&] { return text(function, ": ", name, " = ", value, ": must be at least 1"); });
  };
  positive(heads_q, "heads_q");
  positive(heads_kv, "heads_kv");
  positive(dim_qk, "dim_qk");
  positive(dim_v, "dim_v");
  positive(scalar_bytes, "scalar_bytes");
  require(heads_q % heads_kv == 0,
          [&] { return text(function, ": heads_q = ", heads_q, ": must be a multiple of heads_kv = ", heads_kv); });
}

std::int64_t tile_count(const BandSlice& slice, TileShape tile) {
  const TileCounts counts = tile_counts(slice, tile);
  return counts.full + counts.last;
}

std::int64_t tile_cost(const BandSlice& slice, TileShape tile) {
  if (tile == TileShape{1, 1}) return slice.area();
  return cost_of(tile_counts(slice, tile), tile);
}

std::int64_t tile_cost(std::span<const BandSlice> slices, TileShape tile) {
  std::int64_t cost = 0;
  for (const BandSlice& slice : slices) cost += tile_cost(slice, tile);
  return cost;
}

double work(std::span<const BandSlice> slices, const ComputeRates& rates) {
  std::int64_t pairs = 0;
  std::int64_t tiles = 0;
  std::int64_t rows = 0;
  const bool by_area = rates.tile == TileShape{1, 1} && rates.pairs_per_tile == 0;
  for (const BandSlice& slice : slices) {
    if (by_area) {
      pairs += slice.area();
    } else {
      const TileCounts counts = tile_counts(slice, rates.tile);
      pairs += cost_of(counts, rates.tile);
      tiles += counts.full + counts.last;
    }
    if (rates.pairs_per_row != 0) rows += slice.tight().q().size();
  }
  return static_cast<double>(pairs) + rates.pairs_per_tile * static_cast<double>(tiles) +
         rates.pairs_per_row * static_cast<double>(rows);
}

double compute_seconds(double pairs, const LayerShape& layer, const ComputeRates& rates, const PassWeights& passes) {
  return pairs * layer.flops_per_pair() *
         (passes.forward / rates.forward_flops + backward_work * passes.backward / rates.backward_flops);
}

double transfer_seconds(std::int64_t rows, const LayerShape& layer, const Link& link, const PassWeights& passes) {
  const double times = passes.forward + passes.backward * (1 + gradient_bytes / layer.scalar_bytes);
  return static_cast<double>(rows) * static_cast<double>(layer.key_row_bytes()) * times / link.bytes_per_second;
}

}  // namespace caesura::solver
