// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/comm/communicator.hpp>
#include <caesura/solver/strategy.hpp>

#include <cstdint>
#include <span>

namespace caesura {

/// What the ranks of a mesh share: `q, out (batch, seq, heads_q, dim)`, `k, v (batch, seq, heads_kv, dim)`.
struct MeshShape {
  std::int64_t batch = 1;
  std::int32_t heads_q = 1;
  std::int32_t heads_kv = 1;
};

/// What one rank of a mesh works on.
struct MeshShare {
  Range batch = {};     ///< rows of the batch
  Range heads_q = {};   ///< `heads_q.begin` is what `AttentionOptions::first_head` takes
  Range heads_kv = {};  ///< those that its query heads read
  /// The ranks that have the same rows and heads, and share their tokens: what a plan for so many ranks runs on. Alone
  /// where no axis shards the context.
  comm::Communicator context;
};

/// Carries out a strategy: one sharding for each axis of \p mesh, as `choose_strategy` gives them. Rank r of \p world
/// lies at the mesh's coordinates of r, the slowest axis first; axes of the same sharding count together. Each rank then
/// solves a plan for its rows of the batch and `context.size()` ranks, and runs it on `context`.
///
///     solver::Strategy strategy = solver::choose_strategy(mask, mesh, {.batch = 4, .plan = {.layer = layer}});
///     MeshShare share = mesh_share(world, mesh, strategy.chosen().shardings, {.batch = 4, .heads_q = 32, .heads_kv = 8});
///
/// Collective. \throws Error if world and mesh differ in ranks, shardings and axes in number, or if a count does not
/// divide by the axes that shard it.
MeshShare mesh_share(const comm::Communicator& world, const solver::Mesh& mesh,
                     std::span<const solver::Sharding> shardings, const MeshShape& shape);

}  // namespace caesura
