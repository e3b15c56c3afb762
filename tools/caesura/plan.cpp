// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "commands.hpp"
#include "lengths.hpp"
#include "mask_file.hpp"
#include "numbers.hpp"
#include "options.hpp"
#include "plan_options.hpp"
#include "plan_picture.hpp"
#include "plan_report.hpp"
#include "report.hpp"
#include <caesura/documents.hpp>
#include <caesura/error.hpp>
#include <caesura/scalar.hpp>
#include <caesura/solver/plan_json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace caesura::tools {

namespace {

using solver::Dispatch;

struct Arguments {
  LengthArguments lengths;
  MaskArguments mask;
  std::string mask_file;
  // The layer of the library's default: what models of tens of billions of parameters have.
  ShapeArguments shape = {.heads_q = 64, .heads_kv = 8, .dim_qk = 128, .dim_v = 0, .type = ScalarType::bfloat16};
  PlanArguments plan;
  bool compare = false;
  std::string plan_file;
  std::string json;
  std::string picture;
  bool timeline = false;
};

void print_and_write(const Arguments& arguments, const MaskInput& input, const std::vector<PlanFacts>& plans) {
  const PlanFacts& last = plans.back();
  if (arguments.json != "-") {
    std::cout << (arguments.compare ? comparison_table(input, plans) : plan_table(input, last));
    if (arguments.timeline) std::cout << "\n" << timeline_text(last.timeline);
  }
  if (!arguments.picture.empty()) {
    write_text(arguments.picture, plan_picture(input, last.plan, last.timeline));
    if (arguments.json != "-") std::cout << "\npicture: " << arguments.picture << "\n";
  }
  if (!arguments.json.empty()) write_text(arguments.json, arguments.compare ? comparison_json(plans) : plan_json(last));
}

int plan(Arguments arguments) {
  require_writable("--json", arguments.json);
  require_writable("--picture", arguments.picture);
  if (!arguments.plan_file.empty()) {
    solver::Plan loaded = solver::plan_from_json(read_text("--plan", arguments.plan_file), arguments.plan_file);
    const MaskInput input = {
        .mask = loaded.mask(), .source = arguments.plan_file, .rule = text(loaded.mask().slices().size(), " slices")};
    print_and_write(arguments, input, {facts_of(std::move(loaded), std::nullopt)});
    return exit_fine;
  }
  arguments.shape.complete();
  arguments.plan.options.layer = layer_of(arguments.shape);
  const solver::Cluster cluster = cluster_of(arguments.plan);
  const MaskInput input = mask_of(arguments.lengths, arguments.mask, arguments.mask_file);
  std::vector<PlanFacts> plans;
  if (arguments.compare) {
    // The one that is pictured comes last.
    for (const Dispatch dispatch :
         {Dispatch::contiguous, Dispatch::head_tail, Dispatch::lpt, Dispatch::topp, Dispatch::balanced}) {
      arguments.plan.options.dispatch = dispatch;
      plans.push_back(timed_solve(input.mask, cluster, arguments.plan.options));
    }
  } else {
    plans.push_back(timed_solve(input.mask, cluster, arguments.plan.options));
  }
  print_and_write(arguments, input, plans);
  return exit_fine;
}

/// A plan file says everything by itself.
void require_alone(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || option->get_group() == "Output" || name == "--plan") continue;
    throw Error(ErrorKind::invalid_argument,
                text("--plan: must not stand beside ", name, ": the file says all of the plan"));
  }
}

}  // namespace

void add_plan(CLI::App& app, Command& chosen) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command = *app.add_subcommand("plan", "Solve only: who computes what, what moves, how long it should take");
  command.footer(
      "Example: caesura plan lengths.txt --tokens 524288 --ranks 64 --nodes 8 --picture plan.svg\n"
      "Exit status: 0 fine, 2 wrong usage or bad input, 3 a failure at run time.");
  add_length_options(command, arguments->lengths);
  add_mask_options(command, arguments->mask, MaskArgument::kind);
  command
      .add_option("--mask-file", arguments->mask_file,
                  "All of documents and mask from this JSON file (docs/program.md)")
      ->type_name("FILE")
      ->group("Mask");
  add_shape_options(command, arguments->shape);
  add_plan_options(command, arguments->plan);
  command
      .add_flag_callback(
          "--backward", [arguments] { arguments->plan.options.passes = {.forward = 1, .backward = 1}; },
          "Plan for a forward and a backward (default: a forward)")
      ->group("Plan");
  command
      .add_flag("--compare", arguments->compare,
                "One line for each dispatch: contiguous, head_tail, lpt, topp, balanced")
      ->group("Plan");
  command.add_option("--plan", arguments->plan_file, "Report this plan (written by --json) instead of solving")
      ->type_name("FILE");
  command.add_option("--json", arguments->json, "Write the plan there; - is stdout, without the table")
      ->type_name("FILE")
      ->group("Output");
  command.add_option("--picture", arguments->picture, "Draw the mask by rank, bars, and the predicted time line")
      ->type_name("FILE.svg")
      ->group("Output");
  command.add_flag("--timeline", arguments->timeline, "Print the predicted time line")->group("Output");
  command.callback([arguments, &command, &chosen] {
    if (!arguments->plan_file.empty()) require_alone(command);
    chosen = [arguments] { return plan(*arguments); };
  });
}

}  // namespace caesura::tools
