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
void expect_partition(const Clusters& clusters, const Intervals& intervals, std::int64_t total_k, std::int64_t most) {
  std::int64_t q = 0, k = 0;
  for (const Cluster& cluster : clusters.all()) {
    ASSERT_EQ(cluster.q_begin, q);
    ASSERT_EQ(cluster.k_begin, k);
    ASSERT_LE(cluster.k_end - cluster.k_begin, most);
    q = cluster.q_end;
    k = cluster.k_end;
    for (std::int64_t row = cluster.q_begin; row < cluster.q_end; ++row) {
      for (std::int64_t at = row; at < intervals.rows() * intervals.layers; at += intervals.rows()) {
        const auto i = static_cast<std::size_t>(at);
        if (intervals.first[i] >= intervals.last[i]) continue;
        ASSERT_GE(intervals.first[i], cluster.k_begin) << row;
        ASSERT_LE(intervals.last[i], cluster.k_end) << row;
      }
    }
  }
  ASSERT_EQ(q, intervals.rows());
  ASSERT_EQ(k, total_k);
}

TEST(Clusters, ADocumentIsOneAndTinyOnesShareOne) {
  const Intervals intervals = causal({30, 5, 6, 5, 1, 40});
  Clusters clusters;
  ASSERT_TRUE(clusters.build(intervals.view(), 87, 64));
  expect_partition(clusters, intervals, 87, 64);
  ASSERT_EQ(clusters.all().size(), 4U);  // 30, 5 + 6 + 5, 1, 40
  EXPECT_EQ(clusters.all()[1].q_begin, 30);
  EXPECT_EQ(clusters.all()[1].q_end, 46);
}

TEST(Clusters, OneTooLargeIsNone) {
  Clusters clusters;
  EXPECT_TRUE(clusters.build(causal({64, 64}).view(), 128, 64));
  EXPECT_FALSE(clusters.build(causal({64, 65}).view(), 129, 64));
}

TEST(Clusters, KeysThatNobodySeesBelongToOne) {
  // Keys 0 to 9, 15 to 19 and 35 to 39 are seen by nobody; row 1 sees nothing.
  const Intervals intervals({{{10, 15}, {0, 0}, {20, 30}, {21, 35}}});
  Clusters clusters;
  ASSERT_TRUE(clusters.build(intervals.view(), 40, 25));
  expect_partition(clusters, intervals, 40, 25);
  EXPECT_FALSE(clusters.build(intervals.view(), 400, 25)) << "the keys behind are too many";
}

TEST(Clusters, AQueryThatSeesAnEarlierOneIsForOtherKernels) {
  Clusters clusters;
  EXPECT_FALSE(clusters.build(Intervals({{{0, 10}, {10, 20}, {9, 11}}}).view(), 20, 64));
  // The same in another layer.
  EXPECT_FALSE(clusters.build(Intervals({{{0, 10}, {10, 20}, {10, 20}}, {{0, 0}, {0, 0}, {3, 4}}}).view(), 20, 64));
}

TEST(Clusters, NothingToCutIsNone) {
  Clusters clusters;
  EXPECT_FALSE(clusters.build(RowIntervals{1, 0, nullptr, nullptr}, 5, 64));
}

TEST(Clusters, OfRandomRowsAreAPartition) {
  std::mt19937 random(7);
  const auto below = [&](int limit) { return static_cast<std::int32_t>(random() % static_cast<unsigned>(limit)); };
  int built = 0;
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
    if (round % 10 == 0 && !layers[0].empty()) layers[0].back() = {0, 1};  // joins all: too large
    const Intervals intervals(layers);
    Clusters clusters;
    if (!clusters.build(intervals.view(), k, 100)) continue;
    ++built;
    expect_partition(clusters, intervals, k, 100);
  }
  EXPECT_GT(built, 100);
}

}  // namespace
}  // namespace caesura::host_simd
