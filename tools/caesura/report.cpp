// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "report.hpp"

#include "numbers.hpp"
#include "ranks.hpp"
#include <caesura/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>

namespace caesura::tools {

std::string Table::print(std::size_t right_aligned) const {
  std::vector<std::size_t> widths;
  for (const auto& cells : rows_) {
    widths.resize(std::max(widths.size(), cells.size()));
    // The last cell of a row may be a sentence; it does not widen its column.
    for (std::size_t i = 0; i + 1 < cells.size() || (i < cells.size() && cells.size() > 2); ++i)
      widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string result;
  for (const auto& cells : rows_) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string padding(widths[i] > cells[i].size() ? widths[i] - cells[i].size() : 0, ' ');
      if (cells.size() == 2 && i == 1)
        line += cells[i];
      else
        line += i >= right_aligned ? padding + cells[i] : cells[i] + padding;
      line += "  ";
    }
    result += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return result;
}

namespace {

std::string gflops_text(double value) {
  return formatted(value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
}

nlohmann::ordered_json number_or_text(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : "inf";
}

}  // namespace

std::string space_text() {
  return text(Space::name(), ", ", Space().concurrency(), Space().concurrency() == 1 ? " thread" : " threads");
}

std::string run_table(const MaskInput& input, const Measurement& measurement, const MeasureArguments& arguments,
                      double peak) {
  const ProblemSize& size = measurement.size;
  Table facts;
  const double pairs = static_cast<double>(size.total_q) * static_cast<double>(size.total_k);
  facts.row({"input", input.documents.empty() ? text(input.source, ", ", input.rule)
                                              : text(input.source, ", ", grouped(std::int64_t(input.documents.size())),
                                                     input.documents.size() == 1 ? " document" : " documents")});
  facts.row({"tokens", size.total_q == size.total_k
                           ? grouped(size.total_q)
                           : text(grouped(size.total_q), " queries, ", grouped(size.total_k), " keys")});
  if (input.document_mask) facts.row({"mask", input.rule});
  facts.row({"visible pairs", text(grouped(measurement.area), " (",
                                   percent_text(pairs > 0 ? static_cast<double>(measurement.area) / pairs : 0), ")")});
  facts.row({"shape",
             text("heads ", size.heads_q, " (q), ", size.heads_kv, " (k, v); dim ", size.dim_qk,
                  size.dim_v != size.dim_qk ? text(" (q, k), ", size.dim_v, " (v)") : "", "; ", name_of(size.type))});
  facts.row({"kernel", text(measurement.variants.forward,
                            measurement.has_backward() && measurement.variants.backward != measurement.variants.forward
                                ? " / " + measurement.variants.backward
                                : "",
                            " on ", space_text())});
  facts.row({"memory", text(bytes_text(size.tensor_bytes()), " tensors, ", bytes_text(measurement.plan_bytes),
                            " plan, ", bytes_text(size.workspace_bytes()), " workspace")});
  facts.row({"lowering", time_text(measurement.lowering.median)});
  facts.row({"machine peak",
             text(gflops_text(peak), " GFLOP/s (", size.type == ScalarType::float64 ? "double" : "float", ")")});

  Table times;
  times.row({"", "time", "GFLOP/s", "of peak"});
  const auto time_row = [&](const char* name, const Timing& timing, double gflops) {
    times.row({name, time_text(timing.median), gflops_text(gflops), formatted("%.1f %%", 100 * gflops / peak)});
  };
  time_row("forward", measurement.forward, measurement.forward_gflops());
  if (measurement.has_backward()) time_row("backward", measurement.backward, measurement.backward_gflops());

  std::string result = facts.print() + "\n" + times.print();
  result += text("(median of ", arguments.repeat, arguments.repeat == 1 ? " run" : " runs", " after a warm-up)\n");
  return measurement.errors.empty() ? result : result + "\n" + error_table(measurement.errors);
}

std::string error_table(const std::vector<TensorError>& errors) {
  Table table;
  table.row({"", "max error", "allowed", ""});
  for (const TensorError& error : errors) {
    table.row({error.name, formatted("%.2e", error.max_error), formatted("%.2e", error.allowed),
               error.ok() ? "ok" : "TOO LARGE"});
  }
  return table.print();
}

nlohmann::ordered_json timing_json(const Timing& timing, double gflops, const std::string& variant) {
  return {{"seconds", timing.median}, {"min_seconds", timing.minimum}, {"gflops", gflops}, {"variant", variant}};
}

nlohmann::ordered_json shape_json(const ProblemSize& size) {
  return {{"heads_q", size.heads_q},
          {"heads_kv", size.heads_kv},
          {"dim_qk", size.dim_qk},
          {"dim_v", size.dim_v},
          {"dtype", name_of(size.type)}};
}

nlohmann::ordered_json machine_json() {
  return {{"execution_space", Space::name()}, {"concurrency", Space().concurrency()}};
}

nlohmann::ordered_json run_json(const MaskInput& input, const Measurement& measurement,
                                const MeasureArguments& arguments, const ScoreArguments& score, double peak) {
  const ProblemSize& size = measurement.size;
  nlohmann::ordered_json result = {
      {"version", CAESURA_VERSION},
      {"command", "run"},
      {"tokens", size.total_q},
      {"tokens_k", size.total_k},
      {"area", measurement.area},
      {"mask", to_json(input)},
      {"shape", shape_json(size)},
      {"softcap", score.softcap},
      {"dropout", score.dropout},
      {"seed", score.seed},
      {"repeat", arguments.repeat},
      {"machine", machine_json()},
      {"machine_peak_gflops", peak},
      {"variant", measurement.variants.forward},
      {"lowering", {{"seconds", measurement.lowering.median}}},
      {"memory_bytes",
       {{"tensors", size.tensor_bytes()}, {"plan", measurement.plan_bytes}, {"workspace", size.workspace_bytes()}}},
      {"forward", timing_json(measurement.forward, measurement.forward_gflops(), measurement.variants.forward)}};
  result["documents"] =
      input.documents.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(input.documents.size());
  if (score.scale) result["scale"] = *score.scale;
  if (measurement.has_backward())
    result["backward"] =
        timing_json(measurement.backward, measurement.backward_gflops(), measurement.variants.backward);
  if (!measurement.errors.empty()) {
    bool verified = true;
    for (const TensorError& error : measurement.errors) {
      result["max_error"][error.name] = number_or_text(error.max_error);
      result["allowed_error"][error.name] = error.allowed;
      verified = verified && error.ok();
    }
    result["verified"] = verified;
  }
  return result;
}

void write_text(const std::string& path, const std::string& content) {
  if (!ranks().speaks()) return;
  if (path == "-") {
    std::cout << content << std::flush;
    return;
  }
  std::ofstream file(path, std::ios::binary);
  file << content;
  file.close();
  require(
      file.good(), [&] { return text(path, ": cannot be written"); }, ErrorKind::resources);
}

}  // namespace caesura::tools
