// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/build.hpp"
#include "exchange/port_load.hpp"
#include "impl/plan_hash.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/plan.hpp>
#include <caesura/solver/workload.hpp>

#include <algorithm>
#include <ios>
#include <utility>

namespace caesura::solver {

namespace {

void set_work(RankLoad& load, std::span<const BandSlice> slices, const ComputeRates& rates) {
  load.area = 0;
  for (const BandSlice& slice : slices) load.area += slice.area();
  load.tile_cost = tile_cost(slices, rates.tile);
  load.work = work(slices, rates);
}

/// Where queries move, work is counted where it is done.
void set_moved_work(std::vector<RankLoad>& loads, const impl::Demand& demand, const Exchange& exchange,
                    const ComputeRates& rates) {
  std::vector<Transfer> transfers;
  for (const Stage& stage : exchange.stages()) {
    for (const Hop& hop : stage) transfers.insert(transfers.end(), hop.begin(), hop.end());
  }
  const auto moves = [](const Transfer& transfer) { return transfer.payload == Payload::queries; };
  if (std::ranges::none_of(transfers, moves)) return;
  const auto slices =
      impl::computed_slices(demand, transfers, [&](const Transfer& transfer) { return exchange.ranges(transfer); });
  for (std::size_t rank = 0; rank < loads.size(); ++rank) set_work(loads[rank], slices[rank], rates);
}

void set_traffic(std::vector<RankLoad>& loads, const Exchange& exchange, const impl::Nodes& nodes,
                 const LayerShape& layer) {
  for (const Stage& stage : exchange.stages()) {
    for (const Hop& hop : stage) {
      for (const Transfer& transfer : hop) {
        RankLoad& source = loads[static_cast<std::size_t>(transfer.source)];
        RankLoad& target = loads[static_cast<std::size_t>(transfer.target)];
        const std::int64_t bytes = transfer.rows * impl::row_bytes(transfer.payload, layer);
        source.send_rows += transfer.rows;
        source.send_bytes += bytes;
        target.receive_rows += transfer.rows;
        target.receive_bytes += bytes;
        if (nodes.across(transfer.source, transfer.target)) target.receive_rows_across += transfer.rows;
      }
    }
  }
}

double step_seconds(std::span<const RankLoad> loads, const Exchange& exchange, const Cluster& cluster,
                    const Options& options, const impl::Nodes& nodes) {
  std::vector<impl::PortLoad> ports(loads.size());
  for (const Stage& stage : exchange.stages()) {
    for (const Hop& hop : stage) impl::add_traffic(hop, nodes, options.layer, ports);
  }
  const double repeats = impl::byte_repeats(options.layer, options.passes);
  double slowest = 0;
  for (std::size_t rank = 0; rank < loads.size(); ++rank) {
    const double compute = compute_seconds(loads[rank].work, options.layer, cluster.compute, options.passes);
    slowest = std::max({slowest, compute, ports[rank].byte_seconds(cluster) * repeats});
  }
  return slowest;
}

template <class Value>
double max_over_mean(std::span<const RankLoad> loads, Value RankLoad::*value) {
  double most = 0;
  double sum = 0;
  for (const RankLoad& load : loads) {
    most = std::max(most, static_cast<double>(load.*value));
    sum += static_cast<double>(load.*value);
  }
  return sum == 0 ? 1 : most * static_cast<double>(loads.size()) / sum;
}

}  // namespace

Plan::Plan(Mask mask, Placement placement, Cluster cluster, Options options)
    : mask_(std::move(mask)),
      placement_(std::move(placement)),
      cluster_(cluster),
      options_(options),
      exchange_(options.exchange, {}, {}) {
  impl::require_fitting("Plan", mask_, placement_, cluster_, options_);
  const impl::Demand demand = impl::demand_of(mask_, placement_);
  loads_.resize(static_cast<std::size_t>(cluster_.ranks));
  std::vector<double> pairs;
  for (std::size_t rank = 0; rank < loads_.size(); ++rank) {
    set_work(loads_[rank], demand.slices[rank], cluster_.compute);
    pairs.push_back(loads_[rank].work);
  }
  exchange_ = impl::build_exchange(demand, pairs, placement_, cluster_, options_);
  if (exchange_.kind() == ExchangeKind::qo) set_moved_work(loads_, demand, exchange_, cluster_.compute);

  const impl::Nodes nodes(cluster_);
  const LayerShape& layer = options_.layer;
  set_traffic(loads_, exchange_, nodes, layer);
  for (const OwnedRange& piece : placement_.queries()) {
    RankLoad& load = loads_[static_cast<std::size_t>(piece.rank)];
    load.tokens += piece.rows.size();
    load.chunks += 1;
    load.memory_bytes += piece.rows.size() * (layer.query_row_bytes() + layer.output_row_bytes());
  }
  for (const OwnedRange& piece : placement_.keys())
    loads_[static_cast<std::size_t>(piece.rank)].memory_bytes += piece.rows.size() * layer.key_row_bytes();
  for (RankLoad& load : loads_) load.memory_bytes += load.receive_bytes;

  predicted_step_seconds_ = step_seconds(loads_, exchange_, cluster_, options_, nodes);
  hash_ = impl::plan_hash(mask_, cluster_, options_, placement_, exchange_);
}

double Plan::max_over_mean_area() const { return max_over_mean(loads(), &RankLoad::area); }
double Plan::max_over_mean_tile_cost() const { return max_over_mean(loads(), &RankLoad::tile_cost); }
double Plan::max_over_mean_tokens() const { return max_over_mean(loads(), &RankLoad::tokens); }

double Plan::mean_receive_rows() const {
  double sum = 0;
  for (const RankLoad& load : loads_) sum += static_cast<double>(load.receive_rows);
  return sum / static_cast<double>(loads_.size());
}

std::int64_t Plan::max_receive_rows() const {
  return std::ranges::max(loads_, {}, &RankLoad::receive_rows).receive_rows;
}

std::int64_t Plan::max_send_rows() const { return std::ranges::max(loads_, {}, &RankLoad::send_rows).send_rows; }

Plan solve(const Mask& mask, const Cluster& cluster, const Options& options) {
  cluster.validate("solve");
  options.validate("solve");
  return Plan(mask, dispatch(mask, cluster, options), cluster, options);
}

void require_equal_plans(std::span<const std::uint64_t> hashes) {
  for (std::size_t rank = 1; rank < hashes.size(); ++rank) {
    require(hashes[rank] == hashes[0], [&] {
      return text("require_equal_plans: hash of rank ", rank, " = ", std::hex, "0x", hashes[rank],
                  ": must be that of rank 0, 0x", hashes[0]);
    });
  }
}

}  // namespace caesura::solver
