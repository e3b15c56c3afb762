// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/band_slice.hpp>
#include <caesura/mask.hpp>
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/options.hpp>
#include <caesura/solver/placement.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace caesura::solver {

/// What a row of a transfer is.
enum class Payload : std::uint8_t {
  keys,     ///< a K row and a V row, all heads
  queries,  ///< a Q row
  outputs   ///< a partial result: an out row and its lse
};

/// Rows that go from one rank to another, in global row numbers: `count` ranges of the exchange's list, from `first` on.
struct Transfer {
  std::int32_t source = 0;
  std::int32_t target = 0;
  Payload payload = Payload::keys;
  std::int64_t first = 0;
  std::int64_t count = 0;
  std::int64_t rows = 0;  ///< in all of them
  friend constexpr bool operator==(const Transfer&, const Transfer&) = default;
};

/// Transfers that may all run at once. By target, then source, then payload; at most one for each of these.
using Hop = std::vector<Transfer>;

/// One transfer phase that overlaps with one compute phase. Its hops run one behind the other: what a hop sends may have come in
/// with the hop before.
using Stage = std::vector<Hop>;

/// Who sends which rows to whom, in which order.
///
/// Compute step 0 needs no stage: own queries on own keys. Step i + 1 begins when stage i has arrived: own queries on the keys
/// that came with it, and the queries that came with it on own keys. Their partial outputs are there when step i + 1 has ended:
/// they go home with stage i + 2 or a later one, or with a last stage that brings nothing else; no step follows that one.
/// `steps()` counts the compute steps.
class Exchange {
 public:
  Exchange(ExchangeKind kind, std::vector<Stage> stages, std::vector<Range> ranges);

  ExchangeKind kind() const { return kind_; }
  std::span<const Stage> stages() const { return stages_; }
  std::int32_t steps() const { return steps_; }
  /// Sorted, disjoint, not touching.
  std::span<const Range> ranges(const Transfer& transfer) const {
    return std::span(ranges_).subspan(static_cast<std::size_t>(transfer.first),
                                      static_cast<std::size_t>(transfer.count));
  }
  std::size_t range_count() const { return ranges_.size(); }

  /// The backward's reduction: the stages, their hops and the direction of every transfer reversed. A transfer then carries the
  /// gradient of its payload, which the receiver adds to its own in the order of the hop's list.
  Exchange transposed() const;

  friend bool operator==(const Exchange&, const Exchange&) = default;

 private:
  ExchangeKind kind_;
  std::vector<Stage> stages_;
  std::vector<Range> ranges_;
  std::int32_t steps_;
};

/// The exchange of `options.exchange` for a mask on a placement, cut into `options.stages` stages. `ring` has ranks - 1 stages
/// whatever is asked for.
Exchange make_exchange(const Mask& mask, const Placement& placement, const Cluster& cluster, const Options& options);

/// The pairs that \p rank computes in \p step, as slices in global coordinates.
std::vector<BandSlice> step_slices(const Mask& mask, const Placement& placement, const Exchange& exchange,
                                   std::int32_t rank, std::int32_t step);

}  // namespace caesura::solver
