// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "options.hpp"

#include "numbers.hpp"
#include <caesura/documents.hpp>
#include <caesura/error.hpp>

#include <array>
#include <cmath>
#include <filesystem>

namespace caesura::tools {

namespace {
constexpr std::array<std::string_view, 5> mask_kinds = {"full", "causal", "causal_top_left", "inverse_causal",
                                                        "bi_causal"};
constexpr std::array<std::string_view, 4> scalar_names = {"double", "float", "half", "bfloat16"};
constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();

std::string rule_of(IntegerRange range) {
  if (range.most == any) return text("must be a whole number, ", range.least, " or more");
  return text("must be a whole number from ", range.least, " to ", range.most);
}

std::int64_t parse_integer(const std::string& where, const std::string& value, IntegerRange range) {
  const auto number = to_integer(value);
  require(number && *number >= range.least && *number <= range.most,
          [&] { return text(where, " = ", value, ": ", rule_of(range)); });
  return *number;
}

std::optional<std::size_t> position(std::span<const std::string_view> names, const std::string& name) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

Window parse_window(const std::string& value) {
  const auto parts = split(value, ',');
  const auto left = to_integer(parts[0]);
  const auto right = parts.size() == 2 ? to_integer(parts[1]) : std::nullopt;
  require(left && right && *left >= -1 && *right >= -1 && *left <= max_tokens && *right <= max_tokens, [&] {
    return text("--window = ", value, ": must be LEFT,RIGHT: two whole numbers from -1 (unbounded) to ", max_tokens);
  });
  return {*left, *right};
}
}  // namespace

std::string one_of(std::span<const std::string_view> names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i) {
    result += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + std::string(names[i]);
  }
  return result;
}

CLI::Option* add_integer(CLI::App& app, const std::string& name, std::int64_t& target, IntegerRange range,
                         const std::string& description) {
  const auto parse = [name, &target, range](const std::string& value) { target = parse_integer(name, value, range); };
  return app.add_option_function<std::string>(name, parse, description)->type_name("N");
}

CLI::Option* add_number(CLI::App& app, const std::string& name, double& target, const std::string& rule,
                        bool (*allowed)(double), const std::string& description) {
  const auto parse = [name, &target, rule, allowed](const std::string& value) {
    const auto number = to_number(value);
    require(number && std::isfinite(*number) && allowed(*number),
            [&] { return text(name, " = ", value, ": must be a ", rule); });
    target = *number;
  };
  return app.add_option_function<std::string>(name, parse, description)->type_name("X");
}

MaskKind parse_mask_kind(const std::string& where, const std::string& name) {
  const auto i = position(mask_kinds, name);
  require(i.has_value(), [&] { return text(where, " = ", name, ": must be ", one_of(mask_kinds)); });
  return static_cast<MaskKind>(*i);
}

std::string_view name_of(MaskKind kind) { return mask_kinds[static_cast<std::size_t>(kind)]; }
std::span<const std::string_view> mask_kind_names() { return mask_kinds; }

ScalarType parse_scalar_type(const std::string& where, const std::string& name) {
  const auto i = position(scalar_names, name);
  require(i.has_value(), [&] { return text(where, " = ", name, ": must be ", one_of(scalar_names)); });
  return static_cast<ScalarType>(*i);
}

void add_mask_options(CLI::App& app, MaskArguments& mask, MaskArgument argument) {
  constexpr const char* group = "Mask";
  const auto give = [&mask](const char* name) {
    if (mask.given.empty()) mask.given = name;
  };
  std::string description = "What a query sees of its document: " + one_of(mask_kinds);
  if (argument == MaskArgument::kind) {
    app.add_option_function<std::string>(
           "--mask",
           [&mask, give](const std::string& value) {
             give("--mask");
             mask.rule.kind = parse_mask_kind("--mask", value);
           },
           description)
        ->type_name("KIND")
        ->default_str("causal")
        ->group(group);
  } else {
    description += "; or a mask file (docs/program.md)";
    app.add_option("--mask", mask.kind_or_file, description)
        ->type_name("KIND|FILE")
        ->default_str("causal")
        ->group(group);
  }
  app.add_option_function<std::string>(
         "--window",
         [&mask, give](const std::string& value) {
           give("--window");
           mask.rule.window = parse_window(value);
         },
         "Tokens seen before and behind the aligned one, itself not counted; -1 is unbounded")
      ->type_name("LEFT,RIGHT")
      ->group(group);
  app.add_option_function<std::string>(
         "--chunk",
         [&mask, give](const std::string& value) {
           give("--chunk");
           mask.rule.chunk = parse_integer("--chunk", value, {1, max_tokens});
         },
         "Queries see only keys of their own chunk of so many tokens")
      ->type_name("TOKENS")
      ->group(group);
  app.add_option_function<std::string>(
         "--prefix",
         [&mask, give](const std::string& value) {
           give("--prefix");
           mask.rule.prefix = parse_integer("--prefix", value, {0, max_tokens});
         },
         "The first keys of each document that windows and chunks do not hide")
      ->type_name("TOKENS")
      ->group(group);
}

AttentionOptions to_options(const ScoreArguments& score) {
  AttentionOptions options;
  options.softmax_scale = score.scale;
  options.softcap = score.softcap;
  options.dropout = {.probability = score.dropout, .seed = static_cast<std::uint64_t>(score.seed)};
  return options;
}

void add_score_options(CLI::App& app, ScoreArguments& score) {
  constexpr const char* group = "Scores";
  app.add_option_function<std::string>(
         "--scale",
         [&score](const std::string& value) {
           const auto number = to_number(value);
           require(number && std::isfinite(*number),
                   [&] { return text("--scale = ", value, ": must be a finite number"); });
           score.scale = *number;
         },
         "Factor on the logits (default: 1 / sqrt(dim))")
      ->type_name("X")
      ->group(group);
  add_number(
      app, "--softcap", score.softcap, "number, 0 (none) or more", [](double x) { return x >= 0; },
      "Logits become softcap * tanh(logit / softcap)")
      ->default_str("0")
      ->group(group);
  add_number(
      app, "--dropout", score.dropout, "probability in [0, 1)", [](double x) { return x >= 0 && x < 1; },
      "Probability that a pair is dropped")
      ->type_name("P")
      ->default_str("0")
      ->group(group);
  add_integer(app, "--seed", score.seed, {}, "Of the random numbers")->default_str("0")->group(group);
}

void ShapeArguments::complete() {
  if (heads_kv == 0) heads_kv = heads_q;
  if (dim_v == 0) dim_v = dim_qk;
  require(heads_q % heads_kv == 0,
          [&] { return text("--heads-q = ", heads_q, ": must be a multiple of --heads-kv = ", heads_kv); });
}

void add_shape_options(CLI::App& app, ShapeArguments& shape) {
  constexpr const char* group = "Shape";
  constexpr IntegerRange heads = {1, 1 << 20};
  constexpr IntegerRange dim = {1, 512};
  add_integer(app, "--heads-q", shape.heads_q, heads, "Query heads")
      ->default_str(std::to_string(shape.heads_q))
      ->group(group);
  add_integer(app, "--heads-kv", shape.heads_kv, heads,
              text("Key and value heads (default: ",
                   shape.heads_kv > 0 ? std::to_string(shape.heads_kv) : "as many as query heads", ")"))
      ->group(group);
  add_integer(app, "--dim", shape.dim_qk, dim, "Head dimension of queries and keys")
      ->default_str(std::to_string(shape.dim_qk))
      ->group(group);
  add_integer(app, "--dim-v", shape.dim_v, dim, "Head dimension of values (default: --dim)")->group(group);
  app.add_option_function<std::string>(
         "--dtype", [&shape](const std::string& value) { shape.type = parse_scalar_type("--dtype", value); },
         "Type of the tensors: " + one_of(scalar_names))
      ->type_name("TYPE")
      ->default_str(std::string(name_of(shape.type)))
      ->group(group);
}

void add_measure_options(CLI::App& app, MeasureArguments& measure) {
  constexpr const char* group = "Measuring";
  add_integer(app, "--repeat", measure.repeat, {1, 1'000'000}, "Timed runs after a warm-up; the median counts")
      ->default_str("3")
      ->group(group);
  app.add_flag("--forward-only", measure.forward_only, "Leave the backward out")->group(group);
  app.add_option("--variant", measure.variant, "Force this kernel (caesura info lists them)")
      ->type_name("NAME")
      ->group(group);
}

void require_writable(const std::string& option, const std::string& path) {
  if (path.empty() || path == "-") return;
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  std::error_code ignored;
  require(!std::filesystem::is_directory(path, ignored),
          [&] { return text(option, " = ", path, ": must be a file, not a folder"); });
  require(std::filesystem::is_directory(folder, ignored),
          [&] { return text(option, " = ", path, ": the folder ", folder.string(), " must exist"); });
}

}  // namespace caesura::tools
