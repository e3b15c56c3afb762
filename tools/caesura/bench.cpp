// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "commands.hpp"
#include "lengths.hpp"
#include "measurement.hpp"
#include "numbers.hpp"
#include "options.hpp"
#include "report.hpp"
#include <caesura/error.hpp>

#include <nlohmann/json.hpp>
#include <perf/machine_peak.hpp>

#include <iostream>
#include <map>
#include <memory>

namespace caesura::tools {

namespace {

struct Pack {
  std::string name;
  Lengths lengths;
};

struct Heads {
  std::int64_t q;
  std::int64_t kv;
};

struct BenchArguments {
  std::vector<Pack> packs;
  std::vector<Heads> heads = {{8, 8}};
  std::vector<std::int64_t> dims = {64};
  std::vector<ScalarType> types = {ScalarType::float32};
  MaskArguments mask;
  ScoreArguments score;
  MeasureArguments measure;
  std::string json;
};

std::vector<Heads> parse_heads(const std::string& list) {
  std::vector<Heads> heads;
  for (const std::string& entry : split(list, ',')) {
    const auto parts = split(entry, ':');
    const auto q = to_integer(parts[0]);
    const auto kv = parts.size() == 2 ? to_integer(parts[1]) : q;
    require(parts.size() <= 2 && q && kv && *q >= 1 && *kv >= 1 && *q <= 1 << 20 && *q % *kv == 0, [&] {
      return text("--heads = ", list, ": entry ", quoted(entry),
                  " must be Q or Q:KV, with Q a multiple of KV, both 1 or more");
    });
    heads.push_back({*q, *kv});
  }
  return heads;
}

std::vector<std::int64_t> parse_dims(const std::string& list) {
  std::vector<std::int64_t> dims;
  for (const std::string& entry : split(list, ',')) {
    const auto dim = to_integer(entry);
    require(dim && *dim >= 1 && *dim <= 512, [&] {
      return text("--dims = ", list, ": entry ", quoted(entry), " must be a whole number from 1 to 512");
    });
    dims.push_back(*dim);
  }
  return dims;
}

struct Case {
  std::string name;
  const Pack* pack;
  ShapeArguments shape;
};

/// "causal, window 64,0" -> "causal+window=64,0": names without spaces.
std::string rule_name(const DocumentMask& rule) {
  std::string name;
  for (const char c : rule_text(rule)) {
    if (c == ' ' && name.back() == ',')
      name.back() = '+';
    else
      name += c == ' ' ? '=' : c;
  }
  return name;
}

std::vector<Case> cases_of(const BenchArguments& arguments) {
  std::vector<Case> cases;
  for (const Pack& pack : arguments.packs) {
    for (const Heads& heads : arguments.heads) {
      for (const std::int64_t dim : arguments.dims) {
        for (const ScalarType type : arguments.types) {
          cases.push_back(
              {.name = text(pack.name, "/", rule_name(arguments.mask.rule), "/heads=", heads.q, ":", heads.kv,
                            "/dim=", dim, "/", name_of(type)),
               .pack = &pack,
               .shape = {.heads_q = heads.q, .heads_kv = heads.kv, .dim_qk = dim, .dim_v = dim, .type = type}});
        }
      }
    }
  }
  return cases;
}

int bench(BenchArguments arguments) {
  require_writable("--json", arguments.json);
  if (arguments.packs.empty()) arguments.packs = {{"512", {512}}, {"2048", {2048}}, {"34x240", Lengths(240, 34)}};
  for (Pack& one : arguments.packs) one.lengths = pack(one.lengths, one.name, 0, std::nullopt);

  Progress progress;
  std::map<ScalarType, double> peaks;
  nlohmann::ordered_json json = {{"version", CAESURA_VERSION},
                                 {"command", "bench"},
                                 {"repeat", arguments.measure.repeat},
                                 {"machine", machine_json()},
                                 {"cases", nlohmann::ordered_json::array()}};
  Table table;
  table.row({"case", "forward", "GFLOP/s", "of peak", "backward", "GFLOP/s", "of peak", "lowering"});
  const std::vector<Case> cases = cases_of(arguments);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& one = cases[i];
    progress.show("case", std::int64_t(i + 1), std::int64_t(cases.size()));
    const ScalarType sums = accumulator_of(one.shape.type);
    if (!peaks.contains(sums)) peaks[sums] = perf::measure_peak_gflops(sums);
    const MaskInput input =
        mask_of_documents(Documents::from_lengths(one.pack->lengths), arguments.mask.rule, "--documents");
    const Measurement measurement =
        measure(input.mask, one.shape, arguments.score, arguments.measure, Verify::no, progress);
    const double peak = peaks[sums];
    const auto cells = [&](const Timing& timing, double gflops) {
      return std::vector<std::string>{time_text(timing.median), formatted(gflops >= 100 ? "%.0f" : "%.1f", gflops),
                                      formatted("%.1f %%", 100 * gflops / peak)};
    };
    std::vector<std::string> row = {one.name};
    const auto forward = cells(measurement.forward, measurement.forward_gflops());
    row.insert(row.end(), forward.begin(), forward.end());
    const auto backward = measurement.has_backward() ? cells(measurement.backward, measurement.backward_gflops())
                                                     : std::vector<std::string>(3, "-");
    row.insert(row.end(), backward.begin(), backward.end());
    row.push_back(time_text(measurement.lowering.median));
    table.row(std::move(row));

    nlohmann::ordered_json entry = {
        {"name", one.name},
        {"tokens", measurement.size.total_q},
        {"documents", input.documents.size()},
        {"area", measurement.area},
        {"mask", to_json(input)},
        {"shape", shape_json(measurement.size)},
        {"machine_peak_gflops", peak},
        {"lowering", {{"seconds", measurement.lowering.median}, {"min_seconds", measurement.lowering.minimum}}},
        {"forward", timing_json(measurement.forward, measurement.forward_gflops(), measurement.variants.forward)}};
    if (measurement.has_backward())
      entry["backward"] =
          timing_json(measurement.backward, measurement.backward_gflops(), measurement.variants.backward);
    json["cases"].push_back(std::move(entry));
  }
  progress.clear();
  if (arguments.json != "-")
    std::cout << table.print() << "(median of " << arguments.measure.repeat << " after a warm-up, " << space_text()
              << ")\n";
  if (!arguments.json.empty()) write_text(arguments.json, json.dump(2) + "\n");
  return exit_fine;
}

}  // namespace

void add_bench(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<BenchArguments>();
  CLI::App& command =
      *app.add_subcommand("bench", "Time forward and backward for a grid of packs, heads, dims and types");
  command.footer(
      "Example: caesura bench --lengths 1024,4096 --documents 34x240 --heads 8:2,8 --dims 64,128 --dtypes float,half "
      "--json bench.json\n"
      "Exit status: 0 fine, 2 wrong usage or bad input, 3 a failure at run time.");
  command
      .add_option_function<std::string>(
          "--lengths",
          [arguments](const std::string& list) {
            for (const std::int64_t length : parse_lengths("--lengths", list))
              arguments->packs.push_back({std::to_string(length), {length}});
          },
          "Packs of one document each, such as 1024,4096")
      ->type_name("LIST")
      ->group("Grid");
  command
      .add_option_function<std::vector<std::string>>(
          "--documents",
          [arguments](const std::vector<std::string>& lists) {
            for (const std::string& list : lists)
              arguments->packs.push_back({list, parse_lengths("--documents", list)});
          },
          "A pack of these documents, such as 100,80,76 or 34x240; may be given several times")
      ->type_name("LIST")
      ->expected(1)
      ->take_all()
      ->group("Grid");
  command
      .add_option_function<std::string>(
          "--heads", [arguments](const std::string& list) { arguments->heads = parse_heads(list); },
          "Q or Q:KV, such as 8,8:2")
      ->type_name("LIST")
      ->default_str("8")
      ->group("Grid");
  command
      .add_option_function<std::string>(
          "--dims", [arguments](const std::string& list) { arguments->dims = parse_dims(list); }, "Head dimensions")
      ->type_name("LIST")
      ->default_str("64")
      ->group("Grid");
  command
      .add_option_function<std::string>(
          "--dtypes",
          [arguments](const std::string& list) {
            arguments->types.clear();
            for (const std::string& name : split(list, ','))
              arguments->types.push_back(parse_scalar_type("--dtypes", name));
          },
          "Types of the tensors: double, float, half, bfloat16")
      ->type_name("LIST")
      ->default_str("float")
      ->group("Grid");
  add_mask_options(command, arguments->mask, MaskArgument::kind);
  add_score_options(command, arguments->score);
  add_measure_options(command, arguments->measure);
  command.add_option("--json", arguments->json, "Write all results there; - is stdout, without the table")
      ->type_name("FILE")
      ->group("Output");
  command.callback([arguments, &chosen] { chosen = [arguments] { return bench(*arguments); }; });
}

}  // namespace caesura::tools
