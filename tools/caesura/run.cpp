// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "commands.hpp"
#include "distributed_report.hpp"
#include "distributed_run.hpp"
#include "lengths.hpp"
#include "mask_file.hpp"
#include "measurement.hpp"
#include "numbers.hpp"
#include "options.hpp"
#include "picture.hpp"
#include "plan_options.hpp"
#include "plan_picture.hpp"
#include "plan_report.hpp"
#include "ranks.hpp"
#include "report.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/plan_json.hpp>

#include <nlohmann/json.hpp>
#include <perf/machine_peak.hpp>

#include <algorithm>
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
  PlanArguments plan;
  std::string plan_file;
  bool reproducible = false;
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

/// Solves for the ranks there are, or reads the plan file.
PlanFacts plan_of(RunArguments& arguments, const Mask& mask) {
  if (!arguments.plan_file.empty()) {
    solver::Plan plan = solver::plan_from_json(read_text("--plan", arguments.plan_file), arguments.plan_file);
    require(plan.mask() == mask, [&] {
      return text("--plan = ", arguments.plan_file, ": is for another mask: must be for the one that is run");
    });
    const std::int32_t planned = plan.cluster().ranks;
    require(arguments.plan.ranks == 0 || arguments.plan.ranks == planned, [&] {
      return text("--ranks = ", arguments.plan.ranks, ": must be those of --plan = ", arguments.plan_file, ", ",
                  planned);
    });
    return facts_of(std::move(plan), std::nullopt);
  }
  arguments.plan.options.layer = layer_of(arguments.shape);
  if (!arguments.measure.forward_only) arguments.plan.options.passes = {.forward = 1, .backward = 1};
  solver::Cluster base;
  base.ranks = std::max(1, ranks().processes());
  if (arguments.plan.ranks == 0 && arguments.plan.cluster_file.empty()) arguments.plan.ranks = base.ranks;
  return timed_solve(mask, cluster_of(arguments.plan, base), arguments.plan.options);
}

int run_distributed(RunArguments& arguments, const MaskInput& input) {
  const PlanFacts facts = plan_of(arguments, input.mask);
  require(ranks().processes() == 0 || ranks().processes() == facts.plan.cluster().ranks, [&] {
    return text("--ranks = ", facts.plan.cluster().ranks, ": must be the launcher's number of processes, ",
                ranks().processes());
  });
  Progress progress;
  const DistributedMeasurement measured =
      measure_distributed(facts.plan, arguments.shape, arguments.score, arguments.measure,
                          arguments.reproducible ? Results::reproducible : Results::fastest,
                          arguments.verify ? Verify::yes : Verify::no, progress);
  if (!ranks().speaks()) return exit_fine;
  const double peak = perf::measure_peak_gflops(measured.whole.size.type);
  progress.clear();
  const nlohmann::ordered_json json =
      distributed_json(input, facts, measured, arguments.measure, arguments.score, peak);
  if (arguments.json != "-") std::cout << distributed_table(input, facts, measured, arguments.measure, peak);
  if (!arguments.picture.empty()) {
    write_text(arguments.picture, plan_picture(input, facts.plan, facts.timeline, &measured.timeline));
    if (arguments.json != "-") std::cout << "\npicture: " << arguments.picture << "\n";
  }
  if (!arguments.json.empty()) write_text(arguments.json, json.dump(2) + "\n");
  if (arguments.verify && !json["verified"].get<bool>()) {
    std::cout << std::flush;
    report_failed_verification(measured.whole);
    return exit_verification_failed;
  }
  return exit_fine;
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
  const bool is_alone = arguments.plan.ranks <= 1 && arguments.plan.cluster_file.empty() &&
                        arguments.plan_file.empty() && !arguments.reproducible && ranks().processes() <= 1;
  if (!is_alone) return run_distributed(arguments, input);

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
      "Ranks are threads of this process, one core each; under an MPI launcher they are its processes:\n"
      "         mpirun -n 4 caesura run lengths.txt --tokens 16384 --exchange ring --verify\n"
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
  add_plan_options(command, arguments->plan);
  command.add_option("--plan", arguments->plan_file, "Execute this plan (written by caesura plan --json)")
      ->type_name("FILE")
      ->group("Plan");
  command
      .add_flag("--reproducible", arguments->reproducible,
                "A forward with equal bits on any number of ranks and threads; exchanges finish before it computes")
      ->group("Plan");
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
