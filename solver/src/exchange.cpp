// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/build.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/exchange.hpp>
#include <caesura/solver/workload.hpp>

#include <algorithm>
#include <utility>

namespace caesura::solver {

namespace {

bool before(const Transfer& a, const Transfer& b) {
  if (a.target != b.target) return a.target < b.target;
  if (a.source != b.source) return a.source < b.source;
  return a.payload < b.payload;
}

/// By source, target and payload as it comes: a counting sort, because what comes is by target, source and payload.
Hop reversed(const Hop& hop) {
  std::int32_t last = 0;
  for (const Transfer& transfer : hop) last = std::max(last, transfer.source);
  auto by_target = impl::grouped(
      static_cast<std::size_t>(last) + 1, hop,
      [](const Transfer& transfer) { return static_cast<std::size_t>(transfer.source); },
      [](Transfer transfer) { return std::swap(transfer.source, transfer.target), transfer; });
  return std::move(by_target.values);
}

std::span<const Transfer> into(const Hop& hop, std::int32_t rank) {
  const auto [first, last] = std::equal_range(hop.begin(), hop.end(), Transfer{.target = rank},
                                              [](const Transfer& a, const Transfer& b) { return a.target < b.target; });
  return {first, last};
}

/// The slices that queries below \p row can see pairs of: slices come by first query.
std::span<const BandSlice> slices_below(const Mask& mask, std::int64_t row) {
  const auto slices = mask.slices();
  const auto behind =
      std::partition_point(slices.begin(), slices.end(), [&](const BandSlice& slice) { return slice.q_begin < row; });
  return {slices.begin(), behind};
}

void append(std::vector<BandSlice>& result, const Mask& mask, const RangeSet& queries, const RangeSet& keys) {
  if (queries.empty() || keys.empty()) return;
  const auto slices = restricted(slices_below(mask, queries.ranges().back().end), queries, keys);
  result.insert(result.end(), slices.begin(), slices.end());
}

}  // namespace

Exchange::Exchange(ExchangeKind kind, std::vector<Stage> stages, std::vector<Range> ranges)
    : kind_(kind), stages_(std::move(stages)), ranges_(std::move(ranges)), steps_(1) {
  for (const Stage& stage : stages_) {
    bool computes = false;
    for (const Hop& hop : stage) {
      const Transfer* last = nullptr;
      for (const Transfer& transfer : hop) {
        const auto behind = static_cast<std::uint64_t>(transfer.first) + static_cast<std::uint64_t>(transfer.count);
        require(transfer.source != transfer.target && behind <= ranges_.size() && (!last || before(*last, transfer)),
                [&] {
                  return text("Exchange: transfer from ", transfer.source, " to ", transfer.target, ", ranges [",
                              transfer.first, ", ", behind, "): must join two ranks, lie within ", ranges_.size(),
                              " ranges, and come by target, then source, then payload");
                });
        computes |= transfer.payload != Payload::outputs;
        last = &transfer;
      }
    }
    if (computes) ++steps_;
  }
}

Exchange Exchange::transposed() const {
  std::vector<Stage> stages;
  stages.reserve(stages_.size());
  for (auto stage = stages_.rbegin(); stage != stages_.rend(); ++stage) {
    Stage& hops = stages.emplace_back();
    for (auto hop = stage->rbegin(); hop != stage->rend(); ++hop) hops.push_back(reversed(*hop));
  }
  return Exchange(kind_, std::move(stages), ranges_);
}

Exchange make_exchange(const Mask& mask, const Placement& placement, const Cluster& cluster, const Options& options) {
  impl::require_fitting("make_exchange", mask, placement, cluster, options);
  const impl::Demand demand = impl::demand_of(mask, placement);
  std::vector<double> pairs;
  for (std::size_t rank = 0; rank < demand.slices.groups(); ++rank)
    pairs.push_back(work(demand.slices[rank], cluster.compute));
  return impl::build_exchange(demand, pairs, placement, cluster, options);
}

std::vector<BandSlice> step_slices(const Mask& mask, const Placement& placement, const Exchange& exchange,
                                   std::int32_t rank, std::int32_t step) {
  require(rank >= 0 && rank < placement.ranks(),
          [&] { return text("step_slices: rank = ", rank, ": must be below ranks = ", placement.ranks()); });
  require(step >= 0 && step < exchange.steps(),
          [&] { return text("step_slices: step = ", step, ": must be below steps = ", exchange.steps()); });
  impl::require_same_totals("step_slices", mask, placement);
  std::vector<BandSlice> result;
  if (step == 0) {
    append(result, mask, placement.queries_of(rank), placement.keys_of(rank));
    return result;
  }
  std::vector<Range> arrived;
  for (const Hop& hop : exchange.stages()[static_cast<std::size_t>(step - 1)]) {
    for (const Transfer& transfer : into(hop, rank)) {
      const auto ranges = exchange.ranges(transfer);
      if (transfer.payload == Payload::keys) arrived.insert(arrived.end(), ranges.begin(), ranges.end());
      if (transfer.payload == Payload::queries)
        append(result, mask, RangeSet({ranges.begin(), ranges.end()}), placement.keys_of(rank));
    }
  }
  append(result, mask, placement.queries_of(rank), RangeSet(std::move(arrived)));
  return result;
}

}  // namespace caesura::solver
