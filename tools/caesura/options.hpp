// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention.hpp>
#include <caesura/document_mask.hpp>
#include <caesura/scalar.hpp>

#include <CLI/CLI.hpp>

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

/// The options that several subcommands share. Each one that is wrong throws `Error`: `--name = value: must ...`.
namespace caesura::tools {

struct IntegerRange {
  std::int64_t least = 0;
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

CLI::Option* add_integer(CLI::App& app, const std::string& name, std::int64_t& target, IntegerRange range,
                         const std::string& description);
/// \p rule finishes "must be a number ..."; \p allowed decides. Never infinite or NaN.
CLI::Option* add_number(CLI::App& app, const std::string& name, double& target, const std::string& rule,
                        bool (*allowed)(double), const std::string& description);
/// The exit of a list in an error: "a, b or c".
std::string one_of(std::span<const std::string_view> names);

MaskKind parse_mask_kind(const std::string& where, const std::string& name);
std::string_view name_of(MaskKind kind);
std::span<const std::string_view> mask_kind_names();
ScalarType parse_scalar_type(const std::string& where, const std::string& name);

/// `--mask --window --chunk --prefix`.
struct MaskArguments {
  DocumentMask rule = {};
  /// `attend` takes a file here too.
  std::string kind_or_file = "causal";
  /// The first of the options that was given, empty if none: a mask file says all of it by itself.
  std::string given;
};
enum class MaskArgument { kind, kind_or_file };
void add_mask_options(CLI::App& app, MaskArguments& mask, MaskArgument argument);

/// `--scale --softcap --dropout --seed`.
struct ScoreArguments {
  std::optional<double> scale;
  double softcap = 0;
  double dropout = 0;
  std::int64_t seed = 0;
};
AttentionOptions to_options(const ScoreArguments& score);
void add_score_options(CLI::App& app, ScoreArguments& score);

/// `--heads-q --heads-kv --dim --dim-v --dtype`.
struct ShapeArguments {
  std::int64_t heads_q = 8;
  std::int64_t heads_kv = 0;  ///< 0: as many as heads_q
  std::int64_t dim_qk = 64;
  std::int64_t dim_v = 0;  ///< 0: dim_qk
  ScalarType type = ScalarType::float32;

  /// Fills the zeros in. \throws Error where heads do not divide.
  void complete();
};
void add_shape_options(CLI::App& app, ShapeArguments& shape);

/// `--repeat --forward-only --variant`.
struct MeasureArguments {
  std::int64_t repeat = 3;
  bool forward_only = false;
  std::string variant;
};
void add_measure_options(CLI::App& app, MeasureArguments& measure);

/// Throws unless a file could be written at \p path, so that long work does not end in nothing. "-" and "" are fine.
void require_writable(const std::string& option, const std::string& path);

}  // namespace caesura::tools
