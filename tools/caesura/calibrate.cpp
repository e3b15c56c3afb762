// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate.hpp"

#include "measurement.hpp"
#include "numbers.hpp"
#include "report.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/workload.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

namespace caesura::tools {

namespace {

constexpr std::int64_t longest = 4096;
/// A forward should take so long that launches do not matter; small devices need one document, large ones many.
constexpr double enough_seconds = 0.02;
constexpr std::int64_t most_documents = 64;
constexpr std::array<std::int64_t, 5> shorter = {1024, 256, 64, 32, 16};
constexpr std::array<std::int32_t, 5> tile_sides = {1, 16, 32, 64, 128};
constexpr std::size_t unknowns = 3;

Mask mask_of(std::int64_t documents, std::int64_t length) {
  return Mask::from_documents(
      Documents::from_lengths(std::vector<std::int64_t>(static_cast<std::size_t>(documents), length)));
}

CalibrationPoint measured(std::int64_t documents, std::int64_t length, const ShapeArguments& shape,
                          Progress& progress) {
  progress.show(text("calibrating: ", documents, " x ", length, " tokens"));
  const MeasureArguments how;
  const Measurement measurement = measure(mask_of(documents, length), shape, {}, how, Verify::no, progress);
  return {.documents = documents,
          .length = length,
          .forward_seconds = measurement.forward.minimum,
          .backward_seconds = measurement.backward.minimum};
}

/// Solves the symmetric system for the \p used unknowns by elimination; the others are 0. Nothing if it is singular or if
/// an unknown comes out negative.
std::optional<std::array<double, unknowns>> solve_for(std::array<std::array<double, unknowns + 1>, unknowns> system,
                                                      const std::array<bool, unknowns>& used) {
  for (std::size_t i = 0; i < unknowns; ++i) {
    if (!used[i]) {
      for (std::size_t j = 0; j < unknowns; ++j) system[i][j] = system[j][i] = 0;
      system[i][i] = 1;
      system[i][unknowns] = 0;
    }
  }
  for (std::size_t i = 0; i < unknowns; ++i) {
    if (!(std::abs(system[i][i]) > 1e-30)) return std::nullopt;
    for (std::size_t row = 0; row < unknowns; ++row) {
      if (row == i) continue;
      const double factor = system[row][i] / system[i][i];
      for (std::size_t j = i; j <= unknowns; ++j) system[row][j] -= factor * system[i][j];
    }
  }
  std::array<double, unknowns> solution{};
  for (std::size_t i = 0; i < unknowns; ++i) {
    solution[i] = system[i][unknowns] / system[i][i];
    if (!(solution[i] >= 0) || !std::isfinite(solution[i])) return std::nullopt;
  }
  return solution;
}

struct Fit {
  std::array<double, unknowns> seconds = {};  ///< of a pair, a row, a tile
  double error = std::numeric_limits<double>::infinity();
};

/// Least squares of the relative errors, no unknown negative: the best of all subsets of unknowns that have the first.
Fit fit(const std::vector<std::array<double, unknowns>>& counts, const std::vector<CalibrationPoint>& points,
        bool with_tiles) {
  std::array<std::array<double, unknowns + 1>, unknowns> system{};
  for (std::size_t p = 0; p < points.size(); ++p) {
    for (std::size_t i = 0; i < unknowns; ++i) {
      const double weighted = counts[p][i] / points[p].forward_seconds;
      for (std::size_t j = 0; j < unknowns; ++j) system[i][j] += weighted * counts[p][j] / points[p].forward_seconds;
      system[i][unknowns] += weighted;
    }
  }
  Fit best;
  for (const bool rows : {false, true}) {
    for (const bool tiles : {false, with_tiles}) {
      const auto seconds = solve_for(system, {true, rows, tiles});
      if (!seconds || (*seconds)[0] <= 0) continue;
      double error = 0;
      for (std::size_t p = 0; p < points.size(); ++p) {
        double explained = 0;
        for (std::size_t i = 0; i < unknowns; ++i) explained += (*seconds)[i] * counts[p][i];
        error += std::pow(explained / points[p].forward_seconds - 1, 2);
      }
      if (error < best.error) best = {*seconds, error};
    }
  }
  return best;
}

/// The tiles and fixed costs that explain the forwards best.
solver::ComputeRates rates_of(const std::vector<CalibrationPoint>& points, const solver::LayerShape& layer) {
  solver::ComputeRates rates;
  double least_error = std::numeric_limits<double>::infinity();
  for (const std::int32_t side : tile_sides) {
    const solver::TileShape tile = {side, side};
    std::vector<std::array<double, unknowns>> counts;
    for (const CalibrationPoint& point : points) {
      const BandSlice one = BandSlice::causal({0, point.length}, {0, point.length});
      const auto documents = static_cast<double>(point.documents);
      counts.push_back({documents * static_cast<double>(solver::tile_cost(one, tile)),
                        documents * static_cast<double>(point.length),
                        documents * static_cast<double>(solver::tile_count(one, tile))});
    }
    // A tile of one pair costs what a pair costs.
    const Fit found = fit(counts, points, side > 1);
    if (found.error >= least_error) continue;
    least_error = found.error;
    rates.tile = tile;
    rates.forward_flops = layer.flops_per_pair() / found.seconds[0];
    rates.pairs_per_row = found.seconds[1] / found.seconds[0];
    rates.pairs_per_tile = found.seconds[2] / found.seconds[0];
  }
  return rates;
}

double work_of(const CalibrationPoint& point, const solver::ComputeRates& rates) {
  return solver::work(mask_of(point.documents, point.length).slices(), rates);
}

/// Copies inside the memory of the execution space: what ranks in one process exchange rows by.
solver::Link measured_link(Progress& progress) {
  constexpr std::size_t large = std::size_t{128} << 20;
  const Space space;
  const auto seconds = [&](std::size_t bytes) {
    const Kokkos::View<char*, Space::memory_space> from("from", bytes);
    const Kokkos::View<char*, Space::memory_space> to("to", bytes);
    return time_work(space, 5, "calibrating: copies", progress, [&] { Kokkos::deep_copy(space, to, from); }).minimum;
  };
  const double latency = seconds(64);
  return {.bytes_per_second = static_cast<double>(large) / seconds(large), .latency_seconds = latency};
}

}  // namespace

Calibration calibrate(const ShapeArguments& shape, Progress& progress) {
  const solver::LayerShape layer = {.heads_q = static_cast<std::int32_t>(shape.heads_q),
                                    .heads_kv = static_cast<std::int32_t>(shape.heads_kv),
                                    .dim_qk = static_cast<std::int32_t>(shape.dim_qk),
                                    .dim_v = static_cast<std::int32_t>(shape.dim_v),
                                    .scalar_bytes = bytes_of(shape.type)};
  Calibration result;
  CalibrationPoint first;
  for (std::int64_t documents = 1; documents <= most_documents; documents *= 4) {
    first = measured(documents, longest, shape, progress);
    if (first.forward_seconds >= enough_seconds) break;
  }
  result.points.push_back(first);
  for (const std::int64_t length : shorter)
    result.points.push_back(measured(first.documents * longest / length, length, shape, progress));

  solver::ComputeRates& rates = result.cluster.compute;
  rates = rates_of(result.points, layer);
  rates.backward_flops = 2.5 * work_of(first, rates) * layer.flops_per_pair() / first.backward_seconds;
  rates.step_seconds = measured(1, 1, shape, progress).forward_seconds;
  for (CalibrationPoint& point : result.points)
    point.explained_seconds = solver::compute_seconds(work_of(point, rates), layer, rates, {});
  result.cluster.within_node = measured_link(progress);
  result.cluster.across_nodes = result.cluster.within_node;
  progress.clear();
  return result;
}

std::string calibration_table(const Calibration& calibration) {
  const solver::ComputeRates& rates = calibration.cluster.compute;
  const solver::Link& link = calibration.cluster.within_node;
  Table found;
  found.row({"forward", formatted("%.4g GFLOP/s", 1e-9 * rates.forward_flops)});
  found.row({"backward", formatted("%.4g GFLOP/s", 1e-9 * rates.backward_flops)});
  found.row({"tiles", text(rates.tile.rows, " x ", rates.tile.keys, " pairs")});
  found.row({"a row costs", formatted("%.3g pairs", rates.pairs_per_row)});
  found.row({"a tile costs", formatted("%.3g pairs more", rates.pairs_per_tile)});
  found.row({"one more step", time_text(rates.step_seconds)});
  found.row({"copies", text(formatted("%.3g GB/s", 1e-9 * link.bytes_per_second), ", ", time_text(link.latency_seconds),
                            " each")});
  Table points;
  points.row({"documents", "forward", "by these rates", "backward"});
  for (const CalibrationPoint& point : calibration.points) {
    points.row({text(grouped(point.documents), " x ", grouped(point.length)), time_text(point.forward_seconds),
                time_text(point.explained_seconds), time_text(point.backward_seconds)});
  }
  return found.print() + "\n" + points.print();
}

}  // namespace caesura::tools
