// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "commands.hpp"
#include "lengths.hpp"
#include "mask_file.hpp"
#include "measurement.hpp"
#include "numbers.hpp"
#include "options.hpp"
#include "picture.hpp"
#include "report.hpp"
#include <caesura/error.hpp>

#include <nlohmann/json.hpp>
#include <perf/machine_peak.hpp>

#include <cmath>
#include <iostream>
#include <memory>

namespace caesura::tools {

namespace {

struct RunArguments {
  LengthArguments lengths;
  MaskArguments mask;
  std::string mask_file;
  ShapeArguments shape;
  ScoreArguments score;
  MeasureArguments measure;
  bool verify = false;
  std::string json;
  std::string picture;
};

void report_failed_verification(const Measurement& measurement) {
  for (const TensorError& error : measurement.errors) {
    if (error.ok()) continue;
    const std::string what = std::isnan(error.max_error) ? "not finite where the reference is"
                                                         : "off by " + formatted("%.3g", error.max_error);
    std::cerr << "caesura run: verification failed: " << error.name << "[" << error.row << "," << error.head << ","
              << error.element << "] is " << what << ": must be within " << formatted("%.3g", error.allowed) << "\n";
    return;
  }
}

int run(RunArguments arguments) {
  require_writable("--json", arguments.json);
  require_writable("--picture", arguments.picture);
  arguments.shape.complete();
  const MaskInput input = mask_of(arguments.lengths, arguments.mask, arguments.mask_file);
  require(input.mask.total_q() > 0 && input.mask.total_k() > 0, [&] {
    return text(input.source, ": ", input.mask.total_q(), " queries, ", input.mask.total_k(),
                " keys: must have at least one of each");
  });

  Progress progress;
  const Measurement measurement = measure(input.mask, arguments.shape, arguments.score, arguments.measure,
                                          arguments.verify ? Verify::yes : Verify::no, progress);
  const double peak = perf::measure_peak_gflops(measurement.size.type);
  progress.clear();

  const nlohmann::ordered_json json = run_json(input, measurement, arguments.measure, arguments.score, peak);
  if (arguments.json != "-") std::cout << run_table(input, measurement, arguments.measure, peak);
  if (!arguments.picture.empty()) {
    write_text(arguments.picture, mask_picture(input));
    if (arguments.json != "-") std::cout << "\npicture: " << arguments.picture << "\n";
  }
  if (!arguments.json.empty()) write_text(arguments.json, json.dump(2) + "\n");
  if (arguments.verify && !json["verified"].get<bool>()) {
    std::cout << std::flush;
    report_failed_verification(measurement);
    return exit_verification_failed;
  }
  return exit_fine;
}

}  // namespace

void add_run(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App& command =
      *app.add_subcommand("run", "Pack documents, run forward and backward on random inputs, measure, verify");
  command.footer(
      "Example: caesura run lengths.txt --tokens 8192 --heads-q 8 --heads-kv 2 --dim 64 --verify --picture mask.svg\n"
      "Exit status: 0 fine, 1 verification failed, 2 wrong usage or bad input, 3 a failure at run time.");
  add_length_options(command, arguments->lengths);
  add_mask_options(command, arguments->mask, MaskArgument::kind);
  command
      .add_option("--mask-file", arguments->mask_file,
                  "All of documents and mask from this JSON file (docs/program.md)")
      ->type_name("FILE")
      ->group("Mask");
  add_shape_options(command, arguments->shape);
  add_score_options(command, arguments->score);
  add_measure_options(command, arguments->measure);
  add_ranks_option(command);
  command
      .add_flag("--verify", arguments->verify, "Compare with plain loops in double; exit status 1 if out of tolerance")
      ->group("Output");
  command.add_option("--json", arguments->json, "Write all results there; - is stdout, without the table")
      ->type_name("FILE")
      ->group("Output");
  command.add_option("--picture", arguments->picture, "Draw the mask and the documents' lengths")
      ->type_name("FILE.svg")
      ->group("Output");
  command.callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace caesura::tools
