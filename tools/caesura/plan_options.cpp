// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "plan_options.hpp"

#include "numbers.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <vector>

namespace caesura::tools {

namespace {

constexpr std::int64_t most_ranks = 1 << 20;

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

}  // namespace

std::string read_text(const std::string& option, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  require(file.good(), [&] { return text(option, " = ", path, ": cannot be read: must be a JSON file"); });
  return content;
}

solver::Cluster cluster_of(const PlanArguments& arguments, const solver::Cluster& base) {
  solver::Cluster cluster = base;
  if (!arguments.cluster_file.empty()) {
    cluster = solver::cluster_from_json(read_text("--cluster", arguments.cluster_file), arguments.cluster_file);
  }
  require(arguments.ranks > 0 || base.ranks > 1 || !arguments.cluster_file.empty(),
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

solver::LayerShape layer_of(const ShapeArguments& shape) {
  return {.heads_q = static_cast<std::int32_t>(shape.heads_q),
          .heads_kv = static_cast<std::int32_t>(shape.heads_kv),
          .dim_qk = static_cast<std::int32_t>(shape.dim_qk),
          .dim_v = static_cast<std::int32_t>(shape.dim_v),
          .scalar_bytes = static_cast<std::int32_t>(bytes_of(shape.type))};
}

void add_plan_options(CLI::App& app, PlanArguments& arguments) {
  constexpr const char* group = "Plan";
  solver::Options& options = arguments.options;
  add_integer(app, "--ranks", arguments.ranks, {1, most_ranks}, "Ranks that share the work")->group(group);
  add_integer(app, "--nodes", arguments.nodes, {1, most_ranks},
              "Nodes that the ranks are in (default: as --cluster says, else one for each rank)")
      ->group(group);
  app.add_option("--cluster", arguments.cluster_file,
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
}

}  // namespace caesura::tools
