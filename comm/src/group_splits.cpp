// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/group_splits.hpp"

#include <caesura/error.hpp>

namespace caesura::comm::impl {

void check_splits(std::string_view operation, const GroupSplits& splits, int ranks) {
  const auto same_length = [&](const char* name, std::size_t length, const char* other, std::size_t other_length) {
    require(length == other_length,
            [&] { return text(operation, ": ", name, ": length = ", length, ": ", other, " has ", other_length); });
  };
  const auto rank_exists = [&](const char* name, std::size_t split, int rank) {
    require(rank >= 0 && rank < ranks,
            [&] { return text(operation, ": ", name, "[", split, "] = ", rank, ": there are ", ranks, " ranks"); });
  };
  const auto not_negative = [&](const char* name, const std::vector<std::int64_t>& rows) {
    for (std::size_t split = 0; split < rows.size(); ++split) {
      require(rows[split] >= 0,
              [&] { return text(operation, ": ", name, "[", split, "] = ", rows[split], ": must not be negative"); });
    }
  };
  same_length("destinations", splits.destinations.size(), "input_rows", splits.input_rows.size());
  same_length("sources", splits.sources.size(), "output_rows", splits.output_rows.size());
  not_negative("input_rows", splits.input_rows);
  not_negative("output_rows", splits.output_rows);
  for (std::size_t split = 0; split < splits.destinations.size(); ++split) {
    int last = -1;
    for (const int rank : splits.destinations[split]) {
      rank_exists("destinations", split, rank);
      require(rank > last, [&] {
        return text(operation, ": destinations[", split, "] = ..., ", last, ", ", rank, ": ranks must ascend");
      });
      last = rank;
    }
  }
  for (std::size_t split = 0; split < splits.sources.size(); ++split)
    rank_exists("sources", split, splits.sources[split]);
}

std::vector<RowBlock> input_blocks(const GroupSplits& splits) {
  std::vector<RowBlock> blocks;
  std::int64_t next = 0;
  for (std::size_t split = 0; split < splits.input_rows.size(); ++split) {
    const std::int64_t end = next + splits.input_rows[split];
    for (const int rank : splits.destinations[split]) blocks.push_back({rank, next, end});
    next = end;
  }
  return blocks;
}

std::vector<RowBlock> output_blocks(const GroupSplits& splits) {
  std::vector<RowBlock> blocks;
  std::int64_t next = 0;
  for (std::size_t split = 0; split < splits.output_rows.size(); ++split) {
    blocks.push_back({splits.sources[split], next, next + splits.output_rows[split]});
    next = blocks.back().end;
  }
  return blocks;
}

std::int64_t list_bytes(const GroupSplits& splits) {
  std::size_t bytes = (splits.input_rows.size() + splits.output_rows.size()) * sizeof(std::int64_t) +
                      splits.sources.size() * sizeof(int) + splits.destinations.size() * sizeof(std::vector<int>);
  for (const auto& ranks : splits.destinations) bytes += ranks.size() * sizeof(int);
  return static_cast<std::int64_t>(bytes);
}

}  // namespace caesura::comm::impl
