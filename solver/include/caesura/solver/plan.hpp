// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/dispatch.hpp>
#include <caesura/solver/exchange.hpp>
#include <caesura/solver/options.hpp>
#include <caesura/solver/placement.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver {

/// What one rank has to do.
struct RankLoad {
  std::int64_t tokens = 0;     ///< query rows it owns
  std::int64_t chunks = 0;     ///< ranges of consecutive rows they form
  std::int64_t area = 0;       ///< visible pairs it computes
  std::int64_t tile_cost = 0;  ///< pairs of the tiles it visits
  double work = 0;             ///< the same with all fixed costs, in pairs
  std::int64_t receive_rows = 0;
  std::int64_t send_rows = 0;
  std::int64_t receive_rows_across = 0;  ///< of those, from other nodes
  std::int64_t receive_bytes = 0;
  std::int64_t send_bytes = 0;
  std::int64_t memory_bytes = 0;  ///< own rows of q, k, v, out, lse and everything received
  friend bool operator==(const RankLoad&, const RankLoad&) = default;
};

/// Who owns which rows, what moves and what that costs: complete, immutable, and the same on every rank that solves the same
/// problem.
class Plan {
 public:
  /// A plan for \p mask on tokens that lie as \p placement says: the other masks of a model whose layers have several.
  /// \throws Error where totals or ranks differ.
  Plan(Mask mask, Placement placement, Cluster cluster, Options options);

  const Mask& mask() const { return mask_; }
  const Placement& placement() const { return placement_; }
  const Cluster& cluster() const { return cluster_; }
  const Options& options() const { return options_; }
  const Exchange& exchange() const { return exchange_; }

  /// Global rows of \p rank, in their local order.
  RangeSet local_tokens(std::int32_t rank) const { return placement_.queries_of(rank); }
  std::vector<BandSlice> slices(std::int32_t rank, std::int32_t step) const {
    return step_slices(mask_, placement_, exchange_, rank, step);
  }

  std::span<const RankLoad> loads() const { return loads_; }
  double max_over_mean_area() const;
  double max_over_mean_tile_cost() const;
  double max_over_mean_tokens() const;
  double mean_receive_rows() const;
  std::int64_t max_receive_rows() const;
  std::int64_t max_send_rows() const;
  /// The slowest rank's max(compute, received bytes, sent bytes), in seconds: everything overlapped, nothing waits.
  double predicted_step_seconds() const { return predicted_step_seconds_; }

  /// Of everything that ranks must agree on.
  std::uint64_t hash() const { return hash_; }

 private:
  Mask mask_;
  Placement placement_;
  Cluster cluster_;
  Options options_;
  Exchange exchange_;
  std::vector<RankLoad> loads_;
  double predicted_step_seconds_ = 0;
  std::uint64_t hash_ = 0;
};

/// Dispatch, exchange and stages in one call. Host code alone; the same on every machine.
///
///     Plan plan = solve(mask, {.ranks = 64, .ranks_per_node = 8});
///
/// \throws Error as `dispatch` does.
Plan solve(const Mask& mask, const Cluster& cluster, const Options& options = {});

/// \throws Error where the hashes of the ranks' plans are not all equal; names the first rank that differs from rank 0.
void require_equal_plans(std::span<const std::uint64_t> hashes);

}  // namespace caesura::solver
