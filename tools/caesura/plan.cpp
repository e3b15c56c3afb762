// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "commands.hpp"
#include "lengths.hpp"
#include "mask_file.hpp"
#include "numbers.hpp"
#include "options.hpp"
#include "plan_picture.hpp"
#include "plan_report.hpp"
#include "report.hpp"
#include <caesura/documents.hpp>
#include <caesura/error.hpp>
#include <caesura/scalar.hpp>
#include <caesura/solver/plan_json.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

namespace caesura::tools {

namespace {

using solver::Dispatch;

constexpr std::int64_t most_ranks = 1 << 20;

struct PlanArguments {
  LengthArguments lengths;
  MaskArguments mask;
  std::string mask_file;
  // The layer of the library's default: what models of tens of billions of parameters have.
  ShapeArguments shape = {.heads_q = 64, .heads_kv = 8, .dim_qk = 128, .dim_v = 0, .type = ScalarType::bfloat16};
  std::int64_t ranks = 0;  ///< 0: not given
  std::int64_t nodes = 0;
  std::string cluster_file;
  solver::Options options;
  bool compare = false;
  std::string plan_file;
  std::string json;
  std::string picture;
  bool timeline = false;
};

std::string read_text(const std::string& option, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  require(file.good(), [&] { return text(option, " = ", path, ": cannot be read: must be a JSON file"); });
  return content;
}

/// The file's cluster (or the default), with what the command line says of ranks and nodes.
solver::Cluster cluster_of(const PlanArguments& arguments) {
  solver::Cluster cluster;
  if (!arguments.cluster_file.empty()) {
    cluster = solver::cluster_from_json(read_text("--cluster", arguments.cluster_file), arguments.cluster_file);
  }
  require(arguments.ranks > 0 || !arguments.cluster_file.empty(),
          [] { return text("--ranks: not given: must be the number of ranks (or use --cluster FILE)"); });
  if (arguments.ranks > 0) cluster.ranks = static_cast<std::int32_t>(arguments.ranks);
  if (arguments.nodes > 0) {
    require(cluster.ranks % arguments.nodes == 0,
            [&] { return text("--nodes = ", arguments.nodes, ": must divide ", cluster.ranks, " ranks"); });
    cluster.ranks_per_node = cluster.ranks / static_cast<std::int32_t>(arguments.nodes);
  }
  require(cluster.ranks % cluster.ranks_per_node == 0, [&] {
    return text("--ranks = ", cluster.ranks, ": must be a multiple of ranks_per_node = ", cluster.ranks_per_node,
                " in ", arguments.cluster_file, " (or use --nodes)");
  });
  return cluster;
}

PlanFacts facts_of(solver::Plan plan, std::optional<double> solve_seconds) {
  solver::LowerBounds bounds = solver::lower_bounds(plan.mask(), plan.cluster(), plan.options());
  solver::Timeline timeline = solver::simulate(plan, plan.cluster());
  return {std::move(plan), solve_seconds, bounds, std::move(timeline)};
}

/// The median of three solves where they are quick, so that the first touch of memory does not count.
PlanFacts timed_solve(const Mask& mask, const solver::Cluster& cluster, const solver::Options& options) {
  constexpr double quick = 0.2;
  std::vector<double> seconds;
  for (;;) {
    const auto begin = std::chrono::steady_clock::now();
    solver::Plan plan = solver::solve(mask, cluster, options);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (seconds.size() < 3 && seconds.back() < quick) continue;
    std::sort(seconds.begin(), seconds.end());
    return facts_of(std::move(plan), seconds[seconds.size() / 2]);
  }
}

void print_and_write(const PlanArguments& arguments, const MaskInput& input, const std::vector<PlanFacts>& plans) {
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

int plan(PlanArguments arguments) {
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
  arguments.options.layer = {.heads_q = static_cast<std::int32_t>(arguments.shape.heads_q),
                             .heads_kv = static_cast<std::int32_t>(arguments.shape.heads_kv),
                             .dim_qk = static_cast<std::int32_t>(arguments.shape.dim_qk),
                             .dim_v = static_cast<std::int32_t>(arguments.shape.dim_v),
                             .scalar_bytes = static_cast<std::int32_t>(bytes_of(arguments.shape.type))};
  const solver::Cluster cluster = cluster_of(arguments);
  const MaskInput input = mask_of(arguments.lengths, arguments.mask, arguments.mask_file);
  std::vector<PlanFacts> plans;
  if (arguments.compare) {
    // The one that is pictured comes last.
    for (const Dispatch dispatch :
         {Dispatch::contiguous, Dispatch::head_tail, Dispatch::lpt, Dispatch::topp, Dispatch::balanced}) {
      arguments.options.dispatch = dispatch;
      plans.push_back(timed_solve(input.mask, cluster, arguments.options));
    }
  } else {
    plans.push_back(timed_solve(input.mask, cluster, arguments.options));
  }
  print_and_write(arguments, input, plans);
  return exit_fine;
}

template <class Kind>
CLI::Option* add_kind(CLI::App& app, const std::string& name, Kind& target, std::span<const Kind> kinds,
                      const std::string& description) {
  std::vector<std::string_view> names;
  for (const Kind kind : kinds) names.push_back(name_of(kind));
  const std::string rule = one_of(names);
  return app
      .add_option_function<std::string>(
          name,
          [name, rule, kinds, &target](const std::string& value) {
            const auto at = std::find_if(kinds.begin(), kinds.end(), [&](Kind kind) { return name_of(kind) == value; });
            require(at != kinds.end(), [&] { return text(name, " = ", value, ": must be ", rule); });
            target = *at;
          },
          description + ": " + rule)
      ->type_name("NAME")
      ->default_str(std::string(name_of(target)));
}

void add_plan_options(CLI::App& app, const std::shared_ptr<PlanArguments>& arguments) {
  constexpr const char* group = "Plan";
  solver::Options& options = arguments->options;
  add_integer(app, "--ranks", arguments->ranks, {1, most_ranks}, "Ranks that share the work")->group(group);
  add_integer(app, "--nodes", arguments->nodes, {1, most_ranks},
              "Nodes that the ranks are in (default: as --cluster says, else one for each rank)")
      ->group(group);
  app.add_option("--cluster", arguments->cluster_file,
                 "Ranks, links and rates from this JSON file (caesura info --calibrate writes one)")
      ->type_name("FILE")
      ->group(group);
  add_kind(app, "--dispatch", options.dispatch, solver::all_dispatches(), "How rows are dealt")->group(group);
  add_kind(app, "--exchange", options.exchange, solver::all_exchanges(), "Which rows travel, and how")->group(group);
  app.add_option_function<std::string>(
         "--stages",
         [&options](const std::string& value) {
           const auto number = to_integer(value);
           require(value == "auto" || (number && *number >= 1 && *number <= 1000),
                   [&] { return text("--stages = ", value, ": must be auto or a whole number from 1 to 1000"); });
           options.stages = static_cast<std::int32_t>(number.value_or(0));
         },
         "Parts of the exchange that overlap with compute")
      ->type_name("auto|N")
      ->default_str("auto")
      ->group(group);
  const auto share = [](double x) { return x >= 0 && x <= 1; };
  add_number(app, "--token-slack", options.token_slack, "number from 0 to 1", share,
             "A rank may own this share more tokens than the mean")
      ->default_str("0")
      ->group(group);
  add_number(app, "--tolerance", options.tolerance, "number from 0 to 1", share,
             "How far above the mean a rank's work may be (balanced)")
      ->default_str("0.02")
      ->group(group);
  add_integer(app, "--dispatch-chunk", options.chunk, {1, max_tokens},
              "Rows that stay together (lpt, topp, exact; default: min(512, tokens / (8 ranks)))")
      ->group(group);
  app.add_flag_callback(
         "--backward", [&options] { options.passes = {.forward = 1, .backward = 1}; },
         "Plan for a forward and a backward (default: a forward)")
      ->group(group);
  app.add_flag("--compare", arguments->compare,
               "One line for each dispatch: contiguous, head_tail, lpt, topp, balanced")
      ->group(group);
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
  const auto arguments = std::make_shared<PlanArguments>();
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
  add_plan_options(command, arguments);
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
