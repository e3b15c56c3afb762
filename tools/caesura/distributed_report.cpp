// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "distributed_report.hpp"

#include "numbers.hpp"
#include "plan_picture.hpp"
#include "ranks.hpp"
#include <caesura/error.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <type_traits>

namespace caesura::tools {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_ranks = 16;

/// Bytes that all ranks received together if every key went to every rank: all-gather, and a ring.
double bytes_of_all_keys(const solver::Plan& plan, const ProblemSize& size) {
  const double row = static_cast<double>(size.heads_kv * (size.dim_qk + size.dim_v) * bytes_of(size.type));
  return static_cast<double>(size.total_k) * row * (plan.cluster().ranks - 1);
}

std::int64_t bytes_received(const DistributedMeasurement& measured) {
  std::int64_t sum = 0;
  for (const RankMeasurement& rank : measured.ranks) sum += rank.forward.bytes_received;
  return sum;
}

double hidden_share(const solver::Timeline& timeline) {
  const double transfers = mean_transfer_seconds(timeline);
  return transfers > 0 ? timeline.hidden_seconds / transfers : 1;
}

}  // namespace

std::string distributed_table(const MaskInput& input, const PlanFacts& facts, const DistributedMeasurement& measured,
                              const MeasureArguments& arguments, double peak) {
  const solver::Plan& plan = facts.plan;
  const bool backward = measured.whole.has_backward();
  std::string result = plan_table(input, facts) + "\n";

  Table ranks;
  ranks.row({"measured", "received", "sent", "waited", backward ? "waited, backward" : "", "memory"});
  const std::vector<std::int32_t> shown = slowest_ranks(measured.timeline, most_ranks);
  for (const std::int32_t rank : shown) {
    const RankMeasurement& one = measured.ranks[static_cast<std::size_t>(rank)];
    ranks.row({text("rank ", rank), bytes_text(one.forward.bytes_received), bytes_text(one.forward.bytes_sent),
               time_text(one.forward.waited_seconds), backward ? time_text(one.backward.waited_seconds) : "",
               bytes_text(one.memory_bytes)});
  }
  result += ranks.print();
  if (shown.size() < measured.ranks.size()) {
    result += text("(the ", shown.size(), " of ", measured.ranks.size(), " ranks that end last)\n");
  }

  Table facts_table;
  const std::int64_t moved = bytes_received(measured);
  const double all = bytes_of_all_keys(plan, measured.whole.size);
  facts_table.row(
      {"bytes moved", text(bytes_text(moved), ", ", percent_text(all > 0 ? static_cast<double>(moved) / all : 0),
                           " of an all-gather or a ring")});
  facts_table.row({"transfers hidden", text(percent_text(hidden_share(measured.timeline)), " measured, ",
                                            percent_text(hidden_share(facts.timeline)), " predicted")});
  facts_table.row({"kernel", text(measured.whole.variants.forward, " on ", rank_space_text())});
  facts_table.row({"machine peak", text(formatted("%.1f", peak), " GFLOP/s")});
  result += "\n" + facts_table.print() + "\n";

  Table times;
  times.row({"", "time", "GFLOP/s", "of peak"});
  const auto time_row = [&](const char* name, const Timing& timing, double gflops) {
    times.row({name, time_text(timing.median), formatted("%.1f", gflops), formatted("%.1f %%", 100 * gflops / peak)});
  };
  time_row("forward", measured.whole.forward, measured.whole.forward_gflops());
  if (backward) time_row("backward", measured.whole.backward, measured.whole.backward_gflops());
  result += times.print() + text("(the slowest rank, median of ", arguments.repeat,
                                 arguments.repeat == 1 ? " run" : " runs", " after a warm-up; FLOP/s of all ranks)\n");
  if (!measured.whole.errors.empty()) result += "\n" + error_table(measured.whole.errors);
  return result;
}

Json distributed_json(const MaskInput& input, const PlanFacts& facts, const DistributedMeasurement& measured,
                      const MeasureArguments& arguments, const ScoreArguments& score, double peak) {
  Json result = Json::parse(plan_json(facts));
  const Json run = run_json(input, measured.whole, arguments, score, peak);
  for (const auto& [key, value] : run.items()) {
    if (!result.contains(key) || key == "memory_bytes") result[key] = value;
  }
  const auto call = [](const RankCall& one) {
    return Json{
        {"bytes_received", one.bytes_received}, {"bytes_sent", one.bytes_sent}, {"waited_seconds", one.waited_seconds}};
  };
  for (std::size_t rank = 0; rank < measured.ranks.size(); ++rank) {
    const RankMeasurement& one = measured.ranks[rank];
    Json& entry = result["ranks"][rank]["measured"];
    entry = {{"memory_bytes", one.memory_bytes}, {"forward", call(one.forward)}};
    if (measured.whole.has_backward()) entry["backward"] = call(one.backward);
  }
  const std::int64_t moved = bytes_received(measured);
  const double all = bytes_of_all_keys(facts.plan, measured.whole.size);
  result["bytes_moved"] = moved;
  result["all_gather_bytes"] = all;
  result["ring_bytes"] = all;
  result["moved_over_all_gather"] = all > 0 ? static_cast<double>(moved) / all : 0;
  result["hidden_share"] = hidden_share(measured.timeline);
  result["predicted_hidden_share"] = hidden_share(facts.timeline);
  result["measured_step_ms"] = 1e3 * measured.timeline.seconds;
  return result;
}

}  // namespace caesura::tools
