// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/cluster_json.hpp"
#include "impl/json_value.hpp"
#include <caesura/documents.hpp>
#include <caesura/error.hpp>
#include <caesura/solver/plan_json.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <limits>

namespace caesura::solver {

namespace {

using impl::JsonValue;
using Json = nlohmann::ordered_json;

constexpr std::int64_t most_count = std::numeric_limits<std::int32_t>::max();

/// Calls \p make; what it finds wrong is said in the name of the text.
template <class Make>
auto made(const JsonValue& json, const Make& make) {
  try {
    return make();
  } catch (const Error& error) {
    throw Error(error.kind(), text(json.source(), ": ", error.what()));
  }
}

Json diagonal(std::int64_t value, std::int64_t unbounded) { return value == unbounded ? Json(nullptr) : Json(value); }

std::int64_t read_diagonal(const JsonValue& json, std::int64_t unbounded) {
  if (json.is_null()) return unbounded;
  if (!json.is_integer()) json.fail("must be a whole number or null (unbounded)");
  return json.integer(BandSlice::unbounded_lo, BandSlice::unbounded_hi);
}

Json write(const Mask& mask) {
  Json slices = Json::array();
  for (const BandSlice& slice : mask.slices()) {
    slices.push_back({slice.q_begin, slice.q_end, slice.k_begin, slice.k_end,
                      diagonal(slice.diagonal_lo, BandSlice::unbounded_lo),
                      diagonal(slice.diagonal_hi, BandSlice::unbounded_hi)});
  }
  return {{"total_q", mask.total_q()}, {"total_k", mask.total_k()}, {"slices", std::move(slices)}};
}

Mask read_mask(const JsonValue& json) {
  json.require_keys({"total_q", "total_k", "slices"});
  std::vector<BandSlice> slices;
  slices.reserve(json["slices"].size());
  for (const JsonValue& entry : json["slices"].array()) {
    const auto values =
        entry.array(6, "must be [q_begin, q_end, k_begin, k_end, diagonal_lo or null, diagonal_hi or null]");
    const auto position = [&](std::size_t i) { return values[i].integer(0, max_tokens); };
    slices.push_back({position(0), position(1), position(2), position(3),
                      read_diagonal(values[4], BandSlice::unbounded_lo),
                      read_diagonal(values[5], BandSlice::unbounded_hi)});
  }
  const std::int64_t total_q = json["total_q"].integer(0, max_tokens);
  const std::int64_t total_k = json["total_k"].integer(0, max_tokens);
  return made(json, [&] { return Mask::from_slices(total_q, total_k, slices); });
}

Json write(std::span<const OwnedRange> owned) {
  Json rows = Json::array();
  for (const OwnedRange& piece : owned) rows.push_back({piece.rows.begin, piece.rows.end, piece.rank});
  return rows;
}

Json write(const Placement& placement) {
  if (placement.together()) return {{"tokens", write(placement.queries())}};
  return {{"queries", write(placement.queries())}, {"keys", write(placement.keys())}};
}

std::vector<OwnedRange> read_owned(const JsonValue& json, std::int32_t ranks) {
  std::vector<OwnedRange> owned;
  owned.reserve(json.size());
  for (const JsonValue& entry : json.array()) {
    const auto values = entry.array(3, "must be [begin, end, rank]");
    owned.push_back({{values[0].integer(0, max_tokens), values[1].integer(0, max_tokens)},
                     static_cast<std::int32_t>(values[2].integer(0, ranks - 1))});
    if (owned.back().rows.empty()) entry.fail("must begin below its end");
  }
  return owned;
}

Placement read_placement(const JsonValue& json, std::int32_t ranks, const Mask& mask) {
  if (json.has("tokens")) {
    json.require_keys({"tokens"});
    auto tokens = read_owned(json["tokens"], ranks);
    return made(json, [&] { return Placement::together(ranks, mask.total_q(), std::move(tokens)); });
  }
  json.require_keys({"tokens", "queries", "keys"});
  auto queries = read_owned(json["queries"], ranks);
  auto keys = read_owned(json["keys"], ranks);
  return made(json, [&] {
    return Placement::apart(ranks, mask.total_q(), std::move(queries), mask.total_k(), std::move(keys));
  });
}

Json write(const Options& options) {
  const LayerShape& layer = options.layer;
  return {{"dispatch", name_of(options.dispatch)},
          {"exchange", name_of(options.exchange)},
          {"stages", options.stages},
          {"token_slack", options.token_slack},
          {"tolerance", options.tolerance},
          {"chunk", options.chunk},
          {"top_p", options.top_p},
          {"layer",
           {{"heads_q", layer.heads_q},
            {"heads_kv", layer.heads_kv},
            {"dim_qk", layer.dim_qk},
            {"dim_v", layer.dim_v},
            {"scalar_bytes", layer.scalar_bytes}}},
          {"passes", {{"forward", options.passes.forward}, {"backward", options.passes.backward}}}};
}

template <class Kind>
Kind read_kind(const JsonValue& json, std::span<const Kind> kinds) {
  const std::string name = json.string();
  std::string names;
  for (const Kind kind : kinds) {
    if (name_of(kind) == name) return kind;
    names += (names.empty() ? "" : kind == kinds.back() ? " or " : ", ") + std::string(name_of(kind));
  }
  json.fail("must be " + names);
}

Options read_options(const JsonValue& json) {
  json.require_keys(
      {"dispatch", "exchange", "stages", "token_slack", "tolerance", "chunk", "top_p", "layer", "passes"});
  const JsonValue layer = json["layer"];
  layer.require_keys({"heads_q", "heads_kv", "dim_qk", "dim_v", "scalar_bytes"});
  const JsonValue passes = json["passes"];
  passes.require_keys({"forward", "backward"});
  const auto extent = [&](const char* key) { return static_cast<std::int32_t>(layer[key].integer(1, most_count)); };
  const Options options = {.dispatch = read_kind(json["dispatch"], all_dispatches()),
                           .exchange = read_kind(json["exchange"], all_exchanges()),
                           .stages = static_cast<std::int32_t>(json["stages"].integer(0, most_count)),
                           .token_slack = json["token_slack"].number(),
                           .tolerance = json["tolerance"].number(),
                           .chunk = json["chunk"].integer(0, max_tokens),
                           .top_p = json["top_p"].number(),
                           .layer = {.heads_q = extent("heads_q"),
                                     .heads_kv = extent("heads_kv"),
                                     .dim_qk = extent("dim_qk"),
                                     .dim_v = extent("dim_v"),
                                     .scalar_bytes = extent("scalar_bytes")},
                           .passes = {.forward = passes["forward"].number(), .backward = passes["backward"].number()}};
  made(json, [&] { return options.validate("options"), 0; });
  return options;
}

/// 16 hexadecimal digits: readers of JSON differ in what they make of a number of 64 bits.
std::string hash_text(std::uint64_t hash) {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  return digits.data();
}

std::uint64_t read_hash(const JsonValue& json) {
  const std::string digits = json.string();
  std::uint64_t hash = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), hash, 16);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() != 16)
    json.fail("must be 16 hexadecimal digits");
  return hash;
}

Json write(const RankLoad& load, std::int32_t rank) {
  return {{"rank", rank},
          {"tokens", load.tokens},
          {"chunks", load.chunks},
          {"area", load.area},
          {"tile_cost", load.tile_cost},
          {"work", load.work},
          {"receive_rows", load.receive_rows},
          {"send_rows", load.send_rows},
          {"receive_rows_across", load.receive_rows_across},
          {"receive_bytes", load.receive_bytes},
          {"send_bytes", load.send_bytes},
          {"memory_bytes", load.memory_bytes}};
}

/// One key a line, and one rank a line: readable, and still small.
std::string by_lines(const Json& object) {
  std::string result = "{";
  const char* between = "\n";
  for (const auto& item : object.items()) {
    result += between + ("  \"" + item.key() + "\": ");
    between = ",\n";
    const Json& value = item.value();
    if (!value.is_array() || value.empty() || !value[0].is_object()) {
      result += value.dump();
      continue;
    }
    result += "[";
    for (std::size_t i = 0; i < value.size(); ++i) result += (i == 0 ? "\n    " : ",\n    ") + value[i].dump();
    result += "\n  ]";
  }
  return result + "\n}\n";
}

}  // namespace

std::string to_json(const Plan& plan) {
  Json json = {{"version", plan_json_version}, {"hash", hash_text(plan.hash())}};
  // Each rank receives all keys but its own, whether they come at once or around the ring.
  const auto ranks = static_cast<double>(plan.cluster().ranks);
  const double others = static_cast<double>(plan.mask().total_k()) * (ranks - 1) / ranks;
  json["max_over_mean_area"] = plan.max_over_mean_area();
  json["max_over_mean_tile_cost"] = plan.max_over_mean_tile_cost();
  json["max_over_mean_tokens"] = plan.max_over_mean_tokens();
  json["mean_receive_rows"] = plan.mean_receive_rows();
  json["max_receive_rows"] = plan.max_receive_rows();
  json["max_send_rows"] = plan.max_send_rows();
  json["all_gather_rows"] = others;
  json["ring_rows"] = others;
  json["predicted_step_ms"] = 1e3 * plan.predicted_step_seconds();
  json["stages"] = plan.exchange().stages().size();
  json["ranks"] = Json::array();
  for (std::size_t rank = 0; rank < plan.loads().size(); ++rank)
    json["ranks"].push_back(write(plan.loads()[rank], static_cast<std::int32_t>(rank)));
  json["cluster"] = impl::write_cluster(plan.cluster());
  json["options"] = write(plan.options());
  json["mask"] = write(plan.mask());
  json["placement"] = write(plan.placement());
  return by_lines(json);
}

Plan plan_from_json(std::string_view text_of_plan, const std::string& source) {
  const JsonValue json = JsonValue::parse(text_of_plan, source);
  const JsonValue version = json["version"];
  // Before anything else: another version may mean something else by any key.
  if (!version.is_integer() ||
      version.integer(std::numeric_limits<std::int64_t>::min(), most_count) != plan_json_version)
    version.fail(text("must be ", plan_json_version, ", the version that this library reads"));
  const std::uint64_t hash = read_hash(json["hash"]);
  const Cluster cluster = impl::read_cluster(json["cluster"]);
  Options options = read_options(json["options"]);
  Mask mask = read_mask(json["mask"]);
  Placement placement = read_placement(json["placement"], cluster.ranks, mask);
  Plan plan = made(json, [&] { return Plan(std::move(mask), std::move(placement), cluster, options); });
  if (plan.hash() != hash) json["hash"].fail("must be that of the plan in the file, " + hash_text(plan.hash()));
  return plan;
}

}  // namespace caesura::solver
