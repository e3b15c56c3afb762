// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/plan_json.hpp>
#include <support/errors.hpp>
#include <support/masks.hpp>
#include <support/random.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace caesura::solver {
namespace {

using Json = nlohmann::ordered_json;

void expect_round_trip(const Plan& plan, const std::string& what) {
  const std::string json = to_json(plan);
  const Plan again = plan_from_json(json, "plan.json");
  EXPECT_EQ(again.hash(), plan.hash()) << what;
  EXPECT_EQ(again.mask(), plan.mask()) << what;
  EXPECT_EQ(again.placement(), plan.placement()) << what;
  EXPECT_EQ(again.cluster(), plan.cluster()) << what;
  EXPECT_EQ(again.options(), plan.options()) << what;
  EXPECT_EQ(again.exchange(), plan.exchange()) << what;
  EXPECT_EQ(to_json(again), json) << what;
}

Mask three_documents() { return Mask::from_documents(Documents::from_lengths({100, 80, 76})); }

TEST(PlanJson, APlanReadAgainIsTheSamePlan) {
  for (const auto& [name, mask] : testing::published_masks(16)) {
    for (const ExchangeKind exchange : {ExchangeKind::zero_redundancy, ExchangeKind::ring})
      expect_round_trip(solve(mask, {.ranks = 4, .ranks_per_node = 2}, {.exchange = exchange}), name);
  }
}

TEST(PlanJson, EveryNumberIsKept) {
  Cluster cluster = {.ranks = 3, .ranks_per_node = 1};
  cluster.across_nodes = {.bytes_per_second = 1e11 / 3, .latency_seconds = 1e-6 / 7};
  cluster.compute.pairs_per_row = 0.1;
  const Options options = {.dispatch = Dispatch::lpt,
                           .stages = 2,
                           .token_slack = 0.1,
                           .tolerance = 1.0 / 3,
                           .chunk = 7,
                           .top_p = 2.0 / 3,
                           .layer = {.heads_q = 6, .heads_kv = 3, .dim_qk = 40, .dim_v = 24, .scalar_bytes = 4},
                           .passes = {.forward = 0.7, .backward = 1.0 / 7}};
  expect_round_trip(solve(three_documents(), cluster, options), "options");
}

TEST(PlanJson, CrossAttention) {
  const Mask mask = testing::random_rectangles(513, 123, 40, 1);
  expect_round_trip(solve(mask, {.ranks = 5}), "513 x 123");
}

TEST(PlanJson, SaysWhatPeopleAndScriptsAskFor) {
  const Plan plan = solve(three_documents(), {.ranks = 4, .ranks_per_node = 2});
  const Json json = Json::parse(to_json(plan));
  EXPECT_EQ(json["version"], plan_json_version);
  ASSERT_EQ(json["ranks"].size(), 4u);
  for (std::size_t rank = 0; rank < 4; ++rank) {
    const RankLoad& load = plan.loads()[rank];
    const Json& row = json["ranks"][rank];
    EXPECT_EQ(row["rank"], rank);
    EXPECT_EQ(row["tokens"], load.tokens);
    EXPECT_EQ(row["area"], load.area);
    EXPECT_EQ(row["tile_cost"], load.tile_cost);
    EXPECT_EQ(row["receive_rows"], load.receive_rows);
    EXPECT_EQ(row["send_rows"], load.send_rows);
    EXPECT_EQ(row["memory_bytes"], load.memory_bytes);
    EXPECT_EQ(row["chunks"], load.chunks);
  }
  EXPECT_EQ(json["max_over_mean_area"], plan.max_over_mean_area());
  EXPECT_EQ(json["max_over_mean_tile_cost"], plan.max_over_mean_tile_cost());
  EXPECT_EQ(json["max_over_mean_tokens"], plan.max_over_mean_tokens());
  EXPECT_EQ(json["mean_receive_rows"], plan.mean_receive_rows());
  EXPECT_EQ(json["max_receive_rows"], plan.max_receive_rows());
  EXPECT_EQ(json["max_send_rows"], plan.max_send_rows());
  EXPECT_EQ(json["all_gather_rows"], 192);
  EXPECT_EQ(json["ring_rows"], 192);
  EXPECT_EQ(json["predicted_step_ms"], 1e3 * plan.predicted_step_seconds());
  EXPECT_EQ(json["stages"], plan.exchange().stages().size());
  EXPECT_EQ(json["mask"]["slices"][1], Json::parse("[100, 180, 100, 180, null, 0]"));
}

TEST(PlanJson, KeysThatOthersAddAreNoMatter) {
  const Plan plan = solve(three_documents(), {.ranks = 2});
  Json json = Json::parse(to_json(plan));
  json["solve_ms"] = 1.5;
  EXPECT_EQ(plan_from_json(json.dump(), "plan.json").hash(), plan.hash());
}

class WrongPlanJson : public ::testing::Test {
 protected:
  void expect(const std::string& json, const std::string& message) {
    testing::expect_invalid({message}, [&] { plan_from_json(json, "plan.json"); });
  }
  /// Of a good plan, \p change made.
  template <class Change>
  void expect_after(const Change& change, const std::string& message) {
    Json json = good_;
    change(json);
    expect(json.dump(), message);
  }

  std::string text_ = to_json(solve(three_documents(), {.ranks = 2}));
  Json good_ = Json::parse(text_);
};

TEST_F(WrongPlanJson, OfAnotherVersion) {
  expect_after([](Json& json) { json["version"] = 2; },
               "plan.json: version = 2: must be 1, the version that this library reads");
  expect_after([](Json& json) { json["version"] = "1"; }, "plan.json: version = \"1\": must be 1");
  expect_after([](Json& json) { json.erase("version"); }, ": must have \"version\"");
}

TEST_F(WrongPlanJson, OfAnotherHash) {
  expect_after([](Json& json) { json["hash"] = "0123456789abcdef"; },
               "plan.json: hash = \"0123456789abcdef\": must be that of the plan in the file, ");
  expect_after([](Json& json) { json["hash"] = "12"; }, "plan.json: hash = \"12\": must be 16 hexadecimal digits");
  expect_after([](Json& json) { json["hash"] = 12; }, "plan.json: hash = 12: must be a string");
  // What was changed behind the library's back.
  expect_after([](Json& json) { json["options"]["layer"]["dim_v"] = 64; }, "must be that of the plan in the file");
  expect_after([](Json& json) { json["mask"]["slices"][0][5] = -1; }, "must be that of the plan in the file");
}

TEST_F(WrongPlanJson, WithoutAKey) {
  for (const std::string key : {"hash", "mask", "cluster", "options", "placement"})
    expect_after([&](Json& json) { json.erase(key); }, ": must have \"" + key + "\"");
  for (const auto& item : good_["options"].items())
    expect_after([&](Json& json) { json["options"].erase(item.key()); }, ": must have \"" + item.key() + "\"");
  expect_after([](Json& json) { json["mask"].erase("slices"); }, ": must have \"slices\"");
  expect_after([](Json& json) { json["placement"].erase("tokens"); }, ": must have \"queries\"");
}

TEST_F(WrongPlanJson, WithAValueThatCannotBe) {
  expect_after([](Json& json) { json["mask"] = 3; }, "plan.json: mask = 3: must be an object");
  expect_after([](Json& json) { json["mask"]["total_q"] = "256"; },
               "plan.json: mask.total_q = \"256\": must be a whole number from 0 to 2147483648");
  expect_after(
      [](Json& json) {
        json["mask"]["slices"][1] = {1, 2};
      },
      "plan.json: mask.slices[1] = [1,2]: must be [q_begin, q_end, k_begin, k_end, diagonal_lo or null");
  expect_after([](Json& json) { json["mask"]["slices"][1][4] = 0.5; },
               "plan.json: mask.slices[1][4] = 0.5: must be a whole number or null (unbounded)");
  expect_after([](Json& json) { json["mask"]["slices"][1] = json["mask"]["slices"][0]; },
               "plan.json: Mask::from_slices: slices[0]");
  expect_after([](Json& json) { json["options"]["dispatch"] = "best"; },
               "plan.json: options.dispatch = \"best\": must be contiguous, head_tail, lpt, topp, balanced or exact");
  expect_after([](Json& json) { json["options"]["color"] = 1; }, "plan.json: options.color = 1: unknown key, must be ");
  expect_after([](Json& json) { json["options"]["tolerance"] = -1; },
               "plan.json: options: tolerance = -1: must be from 0 to 1");
  expect_after([](Json& json) { json["cluster"]["ranks"] = 0; },
               "plan.json: cluster.ranks = 0: must be a whole number from 1 to 2147483647");
  expect_after([](Json& json) { json["placement"]["tokens"][0][2] = 2; },
               "plan.json: placement.tokens[0][2] = 2: must be a whole number from 0 to 1");
  expect_after([](Json& json) { json["placement"]["tokens"][0][1] = 0; }, "plan.json: placement.tokens[0] = [0,0,");
  expect_after([](Json& json) { json["placement"]["tokens"].erase(0); },
               "plan.json: Placement: token 0: has no owner, must have one");
}

TEST_F(WrongPlanJson, CutOffAnywhere) {
  testing::Random random(1);
  for (int i = 0; i < 200; ++i) {
    const std::string part = text_.substr(
        0, static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(text_.find_last_of('}')))));
    testing::expect_invalid({"plan.json: parse error at line "}, [&] { plan_from_json(part, "plan.json"); });
  }
}

}  // namespace
}  // namespace caesura::solver
