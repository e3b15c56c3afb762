// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_input.hpp"
#include "measurement.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace caesura::tools {

/// A table for people: columns as wide as their widest cell, the first left, the others as they are told.
class Table {
 public:
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void blank() { rows_.emplace_back(); }
  /// \p right_aligned from this column on.
  std::string print(std::size_t right_aligned = 1) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string run_table(const MaskInput& input, const Measurement& measurement, const MeasureArguments& arguments,
                      double peak);
nlohmann::ordered_json run_json(const MaskInput& input, const Measurement& measurement,
                                const MeasureArguments& arguments, const ScoreArguments& score, double peak);

/// How far each tensor is from the reference, and how far it may be.
std::string error_table(const std::vector<TensorError>& errors);

/// `{seconds, min_seconds, gflops, variant}`.
nlohmann::ordered_json timing_json(const Timing& timing, double gflops, const std::string& variant);
nlohmann::ordered_json shape_json(const ProblemSize& size);
/// Where it ran: space, threads, build.
nlohmann::ordered_json machine_json();
std::string space_text();

/// Writes to a file, or to stdout for "-".
void write_text(const std::string& path, const std::string& content);

}  // namespace caesura::tools
