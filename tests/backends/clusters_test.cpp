// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/clusters.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace caesura::host_simd {
namespace {

/// Intervals of rows, layer after layer.
struct Intervals {
  std::int32_t layers;
  std::vector<std::int32_t> first, last;

  explicit Intervals(const std::vector<std::vector<TileRange>>& by_layer)
      : layers(static_cast<std::int32_t>(by_layer.size())) {
    for (const auto& layer : by_layer) {
      for (const TileRange range : layer) {
        first.push_back(range.begin);
        last.push_back(range.end);
      }
    }
  }
  std::int64_t rows() const { return static_cast<std::int64_t>(first.size()) / layers; }
  RowIntervals view() const { return {layers, rows(), first.data(), last.data()}; }
};

/// Causal documents of as many queries as keys.
Intervals causal(const std::vector<std::int32_t>& lengths) {
  std::vector<TileRange> rows;
  std::int32_t begin = 0;
  for (const std::int32_t length : lengths) {
    for (std::int32_t i = 0; i < length; ++i) rows.push_back({begin, begin + i + 1});
    begin += length;
  }
  return Intervals({rows});
}

/// All queries and all keys are in one cluster each, in order, and no query sees keys of another cluster.
void expect_partition(const Clusters& clusters, const Intervals& intervals, std::int64_t total_k) {
  std::int64_t q = 0, k = 0, all_pairs = 0;
  for (const Cluster& cluster : clusters.all()) {
    ASSERT_EQ(cluster.q_begin, q);
    ASSERT_EQ(cluster.k_begin, k);
    q = cluster.q_end;
    k = cluster.k_end;
    std::int64_t pairs = 0;
    for (std::int64_t row = cluster.q_begin; row < cluster.q_end; ++row) {
      for (std::int64_t at = row; at < intervals.rows() * intervals.layers; at += intervals.rows()) {
        const auto i = static_cast<std::size_t>(at);
        if (intervals.first[i] >= intervals.last[i]) continue;
        ASSERT_GE(intervals.first[i], cluster.k_begin) << row;
        ASSERT_LE(intervals.last[i], cluster.k_end) << row;
        pairs += intervals.last[i] - intervals.first[i];
      }
    }
    ASSERT_EQ(cluster.pairs, pairs);
    all_pairs += pairs;
  }
  ASSERT_EQ(q, intervals.rows());
  ASSERT_EQ(k, total_k);
  ASSERT_EQ(clusters.pairs(), all_pairs);
}

Clusters clusters_of(const Intervals& intervals, std::int64_t total_k) {
  Clusters clusters;
  clusters.build(intervals.view(), total_k);
  return clusters;
}

TEST(Clusters, ADocumentIsOneAndTinyOnesShareOne) {
  const Intervals intervals = causal({30, 5, 6, 5, 1, 40});
  const Clusters clusters = clusters_of(intervals, 87);
  expect_partition(clusters, intervals, 87);
  ASSERT_EQ(clusters.all().size(), 4U);  // 30, 5 + 6 + 5, 1, 40
  EXPECT_EQ(clusters.all()[1].q_begin, 30);
  EXPECT_EQ(clusters.all()[1].q_end, 46);
}

TEST(Clusters, KeysThatNobodySeesBelongToOne) {
  // Keys 0 to 9, 15 to 19 and 35 to 39 are seen by nobody; row 1 sees nothing.
  const Intervals intervals({{{10, 15}, {0, 0}, {20, 30}, {21, 35}}});
  const Clusters clusters = clusters_of(intervals, 40);
  expect_partition(clusters, intervals, 40);
  EXPECT_EQ(clusters.all().size(), 2U);
}

TEST(Clusters, AQueryThatSeesAnEarlierOneJoinsThem) {
  const Intervals far({{{0, 20}, {20, 40}, {40, 60}, {39, 41}, {60, 80}}});
  const Clusters joined = clusters_of(far, 80);
  expect_partition(joined, far, 80);
  ASSERT_EQ(joined.all().size(), 3U);
  EXPECT_EQ(joined.all()[1].k_begin, 20);
  EXPECT_EQ(joined.all()[1].k_end, 60);
  // The same in another layer, back to the first.
  const Intervals layers({{{0, 20}, {20, 40}, {40, 60}}, {{0, 0}, {0, 0}, {3, 4}}});
  EXPECT_EQ(clusters_of(layers, 60).all().size(), 1U);
}

TEST(Clusters, WithoutQueriesAllKeysAreOne) {
  const Clusters clusters = clusters_of(Intervals({std::vector<TileRange>()}), 5);
  ASSERT_EQ(clusters.all().size(), 1U);
  EXPECT_EQ(clusters.all()[0].keys(), 5);
}

TEST(Clusters, AreArrangedByTheirWay) {
  const Intervals intervals = causal({300, 20, 30, 500, 25, 400});
  Clusters clusters = clusters_of(intervals, 1275);
  clusters.arrange([](const Cluster& cluster) {
    return cluster.keys() < 100 ? Way::in_place : cluster.keys() < 450 ? Way::one_thread : Way::groups;
  });
  const auto keys = [&](Way way) {
    std::vector<std::int64_t> result;
    for (const Cluster& cluster : clusters.of(way)) result.push_back(cluster.keys());
    return result;
  };
  EXPECT_EQ(keys(Way::groups), (std::vector<std::int64_t>{500}));
  EXPECT_EQ(keys(Way::one_thread), (std::vector<std::int64_t>{400, 300})) << "most work first";
  EXPECT_EQ(keys(Way::in_place), (std::vector<std::int64_t>{20, 30, 25})) << "as they lie in memory";
}

TEST(Clusters, OfRandomRowsAreAPartition) {
  std::mt19937 random(7);
  const auto below = [&](int limit) { return static_cast<std::int32_t>(random() % static_cast<unsigned>(limit)); };
  std::size_t all = 0;
  for (int round = 0; round < 500; ++round) {
    std::vector<std::vector<TileRange>> layers(2);
    std::int32_t k = 0;
    for (int document = 0; document < 8; ++document) {
      const std::int32_t keys = below(30), rows = below(20);
      for (std::int32_t row = 0; row < rows; ++row) {
        for (auto& layer : layers) {
          const std::int32_t begin = k + below(keys + 1);
          layer.push_back({begin, begin + below(k + keys - begin + 1)});
        }
      }
      k += keys;
    }
    if (round % 10 == 0 && !layers[0].empty() && k > 0) layers[0].back() = {below(k), k};  // joins some
    const Intervals intervals(layers);
    const Clusters clusters = clusters_of(intervals, k);
    all += clusters.all().size();
    expect_partition(clusters, intervals, k);
  }
  EXPECT_GT(all, 1000U);
}

}  // namespace
}  // namespace caesura::host_simd
