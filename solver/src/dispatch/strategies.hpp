// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "problem.hpp"
#include <caesura/solver/placement.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// Each strategy deals all query rows of the problem; \p masks are those it was made of.
std::vector<OwnedRange> deal_contiguous(const Problem& problem);
std::vector<OwnedRange> deal_head_tail(const Problem& problem);
std::vector<OwnedRange> deal_lpt(const Problem& problem, std::int64_t chunk);
std::vector<OwnedRange> deal_topp(const Problem& problem, std::int64_t chunk, double top_p);
std::vector<OwnedRange> deal_balanced(const Problem& problem);
std::vector<OwnedRange> deal_exact(const Problem& problem, std::int64_t chunk);

/// Rows a chunk of those that deal chunks, if the options name none.
std::int64_t default_chunk(const Problem& problem);

/// Consecutive rows with their pairs.
struct Chunk {
  Range rows;
  double pairs = 0;
};
/// All rows, cut at each of the rising \p borders, from 0 to the total.
std::vector<Chunk> cut_chunks(const Problem& problem, std::span<const std::int64_t> borders);

/// Gives every key row to a rank whose queries see it, if one has room, in equal shares: cross attention.
std::vector<OwnedRange> deal_keys(std::span<const WeightedMask> masks, std::int32_t ranks,
                                  std::span<const OwnedRange> queries);

/// Numbers the ranks anew, so that those that need each other's keys share nodes.
void group_into_nodes(const Problem& problem, std::int32_t ranks_per_node, std::vector<OwnedRange>& owned);

}  // namespace caesura::solver::impl
