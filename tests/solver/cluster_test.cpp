// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/solver/cluster.hpp>
#include <support/errors.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace caesura::solver {
namespace {

TEST(Cluster, RanksOfANodeAreConsecutive) {
  const Cluster cluster = {.ranks = 12, .ranks_per_node = 4};
  EXPECT_NO_THROW(cluster.validate("solve"));
  EXPECT_EQ(cluster.nodes(), 3);
  EXPECT_EQ(cluster.node_of(3), 0);
  EXPECT_EQ(cluster.node_of(4), 1);
  EXPECT_EQ(&cluster.link(0, 3), &cluster.within_node);
  EXPECT_EQ(&cluster.link(3, 4), &cluster.across_nodes);
}

TEST(Cluster, WhatCannotBeSaysWhy) {
  const auto validate = [](Cluster cluster) { return [cluster] { cluster.validate("solve"); }; };
  testing::expect_invalid({"solve: ranks = 0: must be at least 1"}, validate({.ranks = 0}));
  testing::expect_invalid({"solve: ranks_per_node = 3: must divide ranks = 8"},
                          validate({.ranks = 8, .ranks_per_node = 3}));
  testing::expect_invalid({"solve: across_nodes.bytes_per_second = 0: must be finite and positive"},
                          validate({.across_nodes = {.bytes_per_second = 0}}));
  testing::expect_invalid({"solve: within_node.latency_seconds = -1: must be finite and not negative"},
                          validate({.within_node = {.latency_seconds = -1}}));
  testing::expect_invalid({"solve: compute.forward_flops = inf: must be finite and positive"},
                          validate({.compute = {.forward_flops = std::numeric_limits<double>::infinity()}}));
  testing::expect_invalid({"solve: compute.tile.keys = 0: must be at least 1"},
                          validate({.compute = {.tile = {128, 0}}}));
}

TEST(Cluster, JsonKeepsEveryNumber) {
  const Cluster cluster = {.ranks = 64,
                           .ranks_per_node = 8,
                           .within_node = {.bytes_per_second = 4e11 / 3, .latency_seconds = 1e-7 / 3},
                           .across_nodes = {.bytes_per_second = 1.0 / 3, .latency_seconds = 5e-6},
                           .compute = {.forward_flops = 6.23e14 / 7,
                                       .backward_flops = 5e14,
                                       .tile = {64, 176},
                                       .pairs_per_row = 0.1,
                                       .pairs_per_tile = 1e3 / 7,
                                       .step_seconds = 0}};
  EXPECT_EQ(cluster_from_json(to_json(cluster), "text"), cluster);
  EXPECT_EQ(cluster_from_json(to_json(Cluster{}), "text"), Cluster{});
}

TEST(Cluster, KeysThatAreLeftOutKeepTheirDefaults) {
  EXPECT_EQ(cluster_from_json("{}", "text"), Cluster{});
  Cluster expected = {.ranks = 16};
  expected.compute.tile = {64, 32};
  expected.across_nodes.latency_seconds = 2e-6;
  EXPECT_EQ(cluster_from_json(
                R"({"ranks": 16, "compute": {"tile": [64, 32]}, "across_nodes": {"latency_seconds": 2e-6}})", "text"),
            expected);
}

TEST(Cluster, WrongJsonNamesKeyValueAndRule) {
  const auto expect = [](const std::string& json, const std::string& message) {
    testing::expect_invalid({message}, [&] { cluster_from_json(json, "cluster.json"); });
  };
  expect(R"({"ranks": 0})", "cluster.json: ranks = 0: must be a whole number from 1 to 2147483647");
  expect(R"({"ranks": 2.0})", "cluster.json: ranks = 2.0: must be a whole number from 1 to 2147483647");
  expect(R"({"ranks": 8, "ranks_per_node": 3})", "cluster.json: ranks_per_node = 3: must divide ranks = 8");
  expect(R"({"rank": 8})",
         "cluster.json: rank = 8: unknown key, must be ranks, ranks_per_node, within_node, across_nodes or compute");
  expect(R"({"compute": {"tile": [128]}})", "cluster.json: compute.tile = [128]: must be [rows, keys]");
  expect(R"({"compute": {"tile": [128, "a"]}})",
         "cluster.json: compute.tile[1] = \"a\": must be a whole number from 1 to 2147483647");
  expect(R"({"compute": {"forward_flops": -1}})",
         "cluster.json: compute.forward_flops = -1: must be finite and positive");
  expect(R"({"within_node": {"latency_seconds": null}})",
         "cluster.json: within_node.latency_seconds = null: must be a number");
  expect(R"({"within_node": {"rate": 1}})",
         "cluster.json: within_node.rate = 1: unknown key, must be bytes_per_second or latency_seconds");
  expect(R"({"ranks": 8, "ranks": 9})", "cluster.json: key \"ranks\" stands twice in one object: must stand once");
  expect(R"([])", "cluster.json: []: must be an object");
  expect(R"({"ranks": )", "cluster.json: parse error at line 1, column 11");
  expect(R"({"within_node": {"bytes_per_second": 1e999}})", "cluster.json: number overflow");
}

}  // namespace
}  // namespace caesura::solver
