// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "plan_report.hpp"

#include "numbers.hpp"
#include "plan_picture.hpp"
#include "report.hpp"
#include "timeline_drawing.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/plan_json.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <utility>
#include <vector>

namespace caesura::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_ranks = 16;
constexpr std::size_t slowest = 8;

std::string ratio(double value) { return formatted("%.3f", value); }
std::string hash_text(std::uint64_t hash) {
  std::ostringstream digits;
  digits << std::hex << std::setw(16) << std::setfill('0') << hash;
  return digits.str();
}

std::string rows_text(double rows) { return grouped(std::llround(rows)); }

/// Rows that a rank receives from other nodes.
struct AcrossNodes {
  double mean = 0;
  std::int64_t most = 0;
};

AcrossNodes across_nodes(const solver::Plan& plan) {
  AcrossNodes result;
  for (const solver::RankLoad& load : plan.loads()) {
    result.mean += static_cast<double>(load.receive_rows_across) / static_cast<double>(plan.loads().size());
    result.most = std::max(result.most, load.receive_rows_across);
  }
  return result;
}

double mean_work(const solver::Plan& plan) {
  double sum = 0;
  for (const solver::RankLoad& load : plan.loads()) sum += load.work;
  return sum / static_cast<double>(plan.loads().size());
}

double most_work(const solver::Plan& plan) {
  double most = 0;
  for (const solver::RankLoad& load : plan.loads()) most = std::max(most, load.work);
  return most;
}

/// Rows that each rank receives if all keys go everywhere, at once or around a ring.
double all_rows(const solver::Plan& plan) {
  const double ranks = plan.cluster().ranks;
  return static_cast<double>(plan.mask().total_k()) * (ranks - 1) / ranks;
}

std::string link_text(const solver::Link& link) {
  return formatted("%.3g GB/s", 1e-9 * link.bytes_per_second) +
         (link.latency_seconds > 0 ? " and " + time_text(link.latency_seconds) + " a message" : "");
}

std::string cluster_text(const solver::Cluster& cluster) {
  std::string result = text(cluster.ranks, cluster.ranks == 1 ? " rank" : " ranks", " in ", cluster.nodes(),
                            cluster.nodes() == 1 ? " node" : " nodes", "; ",
                            formatted("%.4g", 1e-12 * cluster.compute.forward_flops), " TFLOP/s");
  if (cluster.ranks_per_node > 1) result += ", " + link_text(cluster.within_node) + " inside a node";
  if (cluster.nodes() > 1) result += ", " + link_text(cluster.across_nodes) + " between nodes";
  return result;
}

Table problem_table(const MaskInput& input, const solver::Plan& plan) {
  const Mask& mask = plan.mask();
  const solver::LayerShape& layer = plan.options().layer;
  const double pairs = static_cast<double>(mask.total_q()) * static_cast<double>(mask.total_k());
  Table table;
  table.row({"input", input.documents.empty() ? text(input.source, ", ", input.rule)
                                              : text(input.source, ", ", grouped(std::int64_t(input.documents.size())),
                                                     input.documents.size() == 1 ? " document" : " documents")});
  table.row({"tokens", mask.total_q() == mask.total_k()
                           ? grouped(mask.total_q())
                           : text(grouped(mask.total_q()), " queries, ", grouped(mask.total_k()), " keys")});
  if (input.document_mask) table.row({"mask", input.rule});
  table.row(
      {"visible pairs", text(grouped(mask.area()), " (", percent_text(static_cast<double>(mask.area()) / pairs), ")")});
  table.row({"layer",
             text("heads ", layer.heads_q, " (q), ", layer.heads_kv, " (k, v); dim ", layer.dim_qk,
                  layer.dim_v != layer.dim_qk ? text(" (q, k), ", layer.dim_v, " (v)") : "", "; ", layer.scalar_bytes,
                  " bytes a scalar; ", plan.options().passes.backward > 0 ? "forward and backward" : "forward")});
  table.row({"cluster", cluster_text(plan.cluster())});
  return table;
}

Table figures_table(const PlanFacts& facts) {
  const solver::Plan& plan = facts.plan;
  const solver::LowerBounds& bounds = facts.bounds;
  const solver::Timeline& timeline = facts.timeline;
  const double transfer = mean_transfer_seconds(timeline);
  Table table;
  table.row({"", "plan", "at least", ""});
  table.row({"pairs, max / mean", ratio(plan.max_over_mean_area()), "", ""});
  table.row({"tile cost, max / mean", ratio(plan.max_over_mean_tile_cost()), "", ""});
  table.row({"tokens, max / mean", ratio(plan.max_over_mean_tokens()), "", ""});
  table.row({"work of the busiest, pairs", short_text(most_work(plan)), short_text(bounds.work), ""});
  table.row({"rows received, mean", rows_text(plan.mean_receive_rows()), rows_text(bounds.mean_receive_rows), ""});
  table.row({"  by all-gather or ring", rows_text(all_rows(plan)), "", ""});
  table.row({"rows received, max", grouped(plan.max_receive_rows()), "", ""});
  table.row({"rows sent, max", grouped(plan.max_send_rows()), "", ""});
  const AcrossNodes across = across_nodes(plan);
  table.row({"rows from other nodes, mean", rows_text(across.mean), "", ""});
  table.row({"rows from other nodes, max", grouped(across.most), "", ""});
  table.row({"predicted step", time_text(plan.predicted_step_seconds()), time_text(bounds.step_seconds), ""});
  table.row({"simulated", time_text(timeline.seconds), "", ""});
  table.row({"  its transfers, mean", time_text(transfer), "", ""});
  table.row({"  of these hidden", transfer > 0 ? percent_text(timeline.hidden_seconds / transfer) : "-", "", ""});
  return table;
}

Table rank_table(const PlanFacts& facts) {
  const double work = mean_work(facts.plan);
  Table table;
  table.row({"rank", "tokens", "chunks", "pairs", "work / mean", "received", "sent", "other nodes", "memory", "waits",
             "ends"});
  const std::size_t ranks = facts.plan.loads().size();
  for (const std::int32_t rank : slowest_ranks(facts.timeline, ranks <= most_ranks ? most_ranks : slowest)) {
    const solver::RankLoad& load = facts.plan.loads()[static_cast<std::size_t>(rank)];
    const solver::RankTimeline& timeline = facts.timeline.ranks[static_cast<std::size_t>(rank)];
    const double waited = waiting_seconds(timeline);
    table.row({text(rank), grouped(load.tokens), grouped(load.chunks), short_text(static_cast<double>(load.area)),
               work > 0 ? ratio(load.work / work) : "-", grouped(load.receive_rows), grouped(load.send_rows),
               grouped(load.receive_rows_across), bytes_text(load.memory_bytes), waited > 0 ? time_text(waited) : "-",
               time_text(timeline.end)});
  }
  return table;
}

Json bounds_json(const solver::LowerBounds& bounds) {
  return {
      {"work", bounds.work}, {"mean_receive_rows", bounds.mean_receive_rows}, {"step_ms", 1e3 * bounds.step_seconds}};
}

/// What a plan's JSON has beside what the library writes.
Json added_keys(const PlanFacts& facts) {
  Json json;
  if (facts.solve_seconds) json["solve_ms"] = 1e3 * *facts.solve_seconds;
  json["lower_bounds"] = bounds_json(facts.bounds);
  json["simulated_ms"] = 1e3 * facts.timeline.seconds;
  json["hidden_ms"] = 1e3 * facts.timeline.hidden_seconds;
  return json;
}

}  // namespace

double mean_transfer_seconds(const solver::Timeline& timeline) {
  double sum = 0;
  for (const solver::RankTimeline& rank : timeline.ranks) {
    for (const solver::Activity& transfer : rank.transfers) sum += transfer.end - transfer.begin;
  }
  return sum / static_cast<double>(timeline.ranks.size());
}

PlanFacts facts_of(solver::Plan plan, std::optional<double> solve_seconds) {
  solver::LowerBounds bounds = solver::lower_bounds(plan.mask(), plan.cluster(), plan.options());
  solver::Timeline timeline = solver::simulate(plan, plan.cluster());
  return {std::move(plan), solve_seconds, bounds, std::move(timeline)};
}

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

std::string plan_table(const MaskInput& input, const PlanFacts& facts) {
  const solver::Plan& plan = facts.plan;
  Table what = problem_table(input, plan);
  const std::size_t stages = plan.exchange().stages().size();
  what.row({"plan", text(name_of(plan.options().dispatch), ", ", name_of(plan.options().exchange), ", ", stages,
                         stages == 1 ? " stage" : " stages")});
  what.row({"hash", hash_text(plan.hash())});
  if (facts.solve_seconds) what.row({"solved in", time_text(*facts.solve_seconds)});
  std::string result = what.print() + "\n" + figures_table(facts).print() + "\n" + rank_table(facts).print(0);
  if (plan.loads().size() > most_ranks)
    result += text("(the ", slowest, " of ", plan.loads().size(), " ranks that end last)\n");
  return result;
}

std::string comparison_table(const MaskInput& input, std::span<const PlanFacts> plans) {
  Table table;
  table.row({"dispatch", "pairs", "tile cost", "tokens", "received", "max", "sent max", "other nodes", "predicted",
             "simulated", "stages", "solve"});
  for (const PlanFacts& facts : plans) {
    const solver::Plan& plan = facts.plan;
    table.row({std::string(name_of(plan.options().dispatch)), ratio(plan.max_over_mean_area()),
               ratio(plan.max_over_mean_tile_cost()), ratio(plan.max_over_mean_tokens()),
               rows_text(plan.mean_receive_rows()), grouped(plan.max_receive_rows()), grouped(plan.max_send_rows()),
               rows_text(across_nodes(plan).mean), time_text(plan.predicted_step_seconds()),
               time_text(facts.timeline.seconds), text(plan.exchange().stages().size()),
               facts.solve_seconds ? time_text(*facts.solve_seconds) : "-"});
  }
  const solver::LowerBounds& bounds = plans.back().bounds;
  table.row({"at least", "", "", "", rows_text(bounds.mean_receive_rows), "", "", "", time_text(bounds.step_seconds),
             "", "", ""});
  return problem_table(input, plans.back().plan).print() + "\n" + table.print() +
         "(pairs, tile cost, tokens: max / mean; received and other nodes: mean rows a rank)\n";
}

std::string timeline_text(const solver::Timeline& timeline) {
  constexpr std::size_t columns = 100;
  const auto column = [&](double seconds) {
    return std::min(columns, static_cast<std::size_t>(std::lround(seconds / timeline.seconds * columns)));
  };
  const auto paint = [&](std::string& line, const solver::Activity& activity) {
    const std::size_t begin = column(activity.begin);
    const std::size_t end = std::max(column(activity.end), begin);
    std::fill(line.begin() + std::ptrdiff_t(begin), line.begin() + std::ptrdiff_t(end),
              static_cast<char>('0' + activity.index % 10));
  };
  std::string result = text("time line, ", time_text(timeline.seconds), " from left to right; '.' waits for rows\n");
  for (const std::int32_t rank : slowest_ranks(timeline, most_ranks)) {
    const solver::RankTimeline& lane = timeline.ranks[static_cast<std::size_t>(rank)];
    std::string transfers(columns, ' ');
    std::string computes(columns, ' ');
    std::fill(computes.begin(), computes.begin() + std::ptrdiff_t(column(lane.end)), '.');
    for (const solver::Activity& activity : lane.transfers) paint(transfers, activity);
    for (const solver::Activity& activity : lane.computes) paint(computes, activity);
    const std::string name = text("rank ", rank);
    result += name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + "stages |" + transfers + "|\n";
    result += "          steps  |" + computes + "|\n";
  }
  return result;
}

std::string plan_json(const PlanFacts& facts) {
  std::string object = solver::to_json(facts.plan);
  // More keys before the object's end.
  object.resize(object.find_last_not_of(" \n", object.rfind('}') - 1) + 1);
  const Json added = added_keys(facts);
  for (const auto& item : added.items()) object += ",\n  \"" + item.key() + "\": " + item.value().dump();
  return object + "\n}\n";
}

std::string comparison_json(std::span<const PlanFacts> plans) {
  Json json = {{"lower_bounds", bounds_json(plans.back().bounds)}, {"plans", Json::array()}};
  for (const PlanFacts& facts : plans) {
    const Json whole = Json::parse(solver::to_json(facts.plan));
    Json entry = {{"dispatch", name_of(facts.plan.options().dispatch)},
                  {"exchange", name_of(facts.plan.options().exchange)}};
    for (const auto& item : whole.items()) {
      if (item.value().is_number() || item.key() == "hash") entry[item.key()] = item.value();
    }
    const AcrossNodes across = across_nodes(facts.plan);
    entry["mean_receive_rows_across"] = across.mean;
    entry["max_receive_rows_across"] = across.most;
    entry.update(added_keys(facts));
    entry.erase("lower_bounds");
    json["plans"].push_back(std::move(entry));
  }
  return json.dump(2) + "\n";
}

}  // namespace caesura::tools
