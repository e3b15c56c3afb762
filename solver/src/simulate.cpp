// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/demand.hpp"
#include "exchange/port_load.hpp"
#include <caesura/error.hpp>
#include <caesura/solver/simulate.hpp>
#include <caesura/solver/workload.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace caesura::solver {

// The model. A rank has four ports: in and out, within its node and across nodes. A port moves one message at a time, which takes
// the link's latency and the bytes at its rate. A rank enters stage i when it begins step i and its part of stage i - 1 is over.
// From then on it sends, in cyclic order from the next rank on, and does not wait for receivers: the network keeps
// what is on its way. A receiving port takes messages in the order in which they left. What goes on in a second hop leaves when
// all of the hop before has come; partial outputs behind the last step leave when that has ended. A step begins when its stage has
// arrived and the step before has ended. Pairs of a step cost what the rank's pairs cost on average, with tiles and fixed costs.

namespace {

/// A rank's share of the work that comes with a stage.
class StepPairs {
 public:
  explicit StepPairs(const Plan& plan) : plan_(plan), demand_(impl::demand_of(plan.mask(), plan.placement())) {
    std::vector<BandSlice> transposed;
    for (std::size_t rank = 0; rank < demand_.slices.groups(); ++rank) {
      transposed.clear();
      for (const BandSlice& slice : demand_.slices[rank]) transposed.push_back(slice.transposed());
      keys_.emplace_back(transposed, plan.mask().total_k());
    }
  }

  /// Before anything has come.
  std::vector<std::int64_t> own() const {
    std::vector<std::int64_t> pairs;
    for (std::size_t rank = 0; rank < keys_.size(); ++rank) pairs.push_back(on_keys(rank, demand_.own_keys[rank]));
    return pairs;
  }

  std::vector<std::int64_t> of(const Stage& stage) const {
    std::vector<std::int64_t> pairs(keys_.size());
    for (const Hop& hop : stage) {
      for (const Transfer& transfer : hop) {
        const auto target = static_cast<std::size_t>(transfer.target);
        const auto ranges = plan_.exchange().ranges(transfer);
        if (transfer.payload == Payload::keys) pairs[target] += on_keys(target, ranges);
        if (transfer.payload == Payload::queries) pairs[target] += on_queries(transfer, ranges);
      }
    }
    return pairs;
  }

 private:
  std::int64_t on_keys(std::size_t rank, std::span<const Range> ranges) const {
    std::int64_t pairs = 0;
    for (const Range range : ranges) pairs += keys_[rank].pairs(range);
    return pairs;
  }
  std::int64_t on_queries(const Transfer& transfer, std::span<const Range> queries) const {
    const auto keys = demand_.own_keys[static_cast<std::size_t>(transfer.target)];
    const auto slices = restricted(demand_.slices[static_cast<std::size_t>(transfer.source)],
                                   RangeSet({queries.begin(), queries.end()}), RangeSet({keys.begin(), keys.end()}));
    std::int64_t pairs = 0;
    for (const BandSlice& slice : slices) pairs += slice.area();
    return pairs;
  }

  const Plan& plan_;
  impl::Demand demand_;
  std::vector<RowProfile> keys_;  // by rank: how many of its queries see each key
};

/// The messages of one stage on the ports of all ranks.
class StageRun {
 public:
  /// \p ready: when each rank enters the stage, \p held: when it has what it sends in the first hop.
  StageRun(const Cluster& cluster, const impl::Nodes& nodes, const LayerShape& layer, const std::vector<double>& ready,
           const std::vector<double>& held)
      : cluster_(cluster),
        nodes_(nodes),
        layer_(layer),
        held_(held),
        arrived_(ready),
        begin_(ready.size(), -1),
        end_(ready),
        out_free_{ready, ready},
        in_free_{ready, ready} {}

  void run(const Hop& hop) {
    send(hop);
    receive(hop);
    held_ = arrived_;
  }

  bool takes_part(std::size_t rank) const { return begin_[rank] >= 0; }
  double begin(std::size_t rank) const { return begin_[rank]; }
  double end(std::size_t rank) const { return end_[rank]; }
  /// When everything has come that the rank receives.
  double arrived(std::size_t rank) const { return arrived_[rank]; }

 private:
  double seconds(const Transfer& transfer, bool across) const {
    const Link& link = across ? cluster_.across_nodes : cluster_.within_node;
    return link.latency_seconds +
           static_cast<double>(transfer.rows * impl::row_bytes(transfer.payload, layer_)) / link.bytes_per_second;
  }
  void occupy(std::size_t rank, double begin, double end) {
    begin_[rank] = begin_[rank] < 0 ? begin : std::min(begin_[rank], begin);
    end_[rank] = std::max(end_[rank], end);
  }

  void send(const Hop& hop) {
    std::vector<std::size_t> all(hop.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    const auto of_source = impl::grouped(
        held_.size(), all, [&](std::size_t i) { return static_cast<std::size_t>(hop[i].source); },
        [](std::size_t i) { return i; });
    left_.resize(hop.size());
    for (std::size_t source = 0; source < of_source.groups(); ++source) {
      const auto list = of_source[source];
      const auto next =
          std::ranges::find_if(list, [&](std::size_t i) { return static_cast<std::size_t>(hop[i].target) > source; });
      const auto send_one = [&](std::size_t i) {
        const bool across = nodes_.across(hop[i].source, hop[i].target);
        double& free = out_free_[across ? 1 : 0][source];
        left_[i] = std::max(free, held_[source]);
        free = left_[i] + seconds(hop[i], across);
        occupy(source, left_[i], free);
      };
      std::for_each(next, list.end(), send_one);
      std::for_each(list.begin(), next, send_one);
    }
  }

  void receive(const Hop& hop) {
    std::vector<std::size_t> order;
    for (std::size_t first = 0, last = 0; first < hop.size(); first = last) {
      order.clear();
      for (; last < hop.size() && hop[last].target == hop[first].target; ++last) order.push_back(last);
      std::stable_sort(order.begin(), order.end(),
                       [this](std::size_t a, std::size_t b) { return left_[a] < left_[b]; });
      const auto target = static_cast<std::size_t>(hop[first].target);
      for (const std::size_t i : order) {
        const bool across = nodes_.across(hop[i].source, hop[i].target);
        double& free = in_free_[across ? 1 : 0][target];
        const double begin = std::max(free, left_[i]);
        free = begin + seconds(hop[i], across);
        occupy(target, begin, free);
        arrived_[target] = std::max(arrived_[target], free);
      }
    }
  }

  const Cluster& cluster_;
  const impl::Nodes& nodes_;
  const LayerShape& layer_;
  std::vector<double> held_;
  std::vector<double> arrived_;
  std::vector<double> begin_;
  std::vector<double> end_;
  std::array<std::vector<double>, 2> out_free_;  // index 1: across nodes
  std::array<std::vector<double>, 2> in_free_;
  std::vector<double> left_;  // by transfer of the hop: when it departs
};

/// Time that both lists share.
double common_seconds(std::span<const Activity> a, std::span<const Activity> b) {
  double seconds = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    seconds += std::max(0.0, std::min(a[i].end, b[j].end) - std::max(a[i].begin, b[j].begin));
    a[i].end < b[j].end ? ++i : ++j;
  }
  return seconds;
}

}  // namespace

Timeline simulate(const Plan& plan, const Cluster& cluster) {
  cluster.validate("simulate");
  require(cluster.ranks == plan.cluster().ranks, [&] {
    return text("simulate: ranks of the cluster = ", cluster.ranks, ": must be those of the plan, ",
                plan.cluster().ranks);
  });
  const auto ranks = static_cast<std::size_t>(cluster.ranks);
  const LayerShape& layer = plan.options().layer;
  const PassWeights forward = {};
  const auto seconds = [&](double pairs) { return compute_seconds(pairs, layer, cluster.compute, forward); };
  const impl::Nodes nodes(cluster);
  const StepPairs step_pairs(plan);

  Timeline timeline;
  timeline.ranks.resize(ranks);
  std::vector<double> ready(ranks), begun(ranks), computed(ranks), moved(ranks);
  const auto compute = [&](std::size_t rank, std::int32_t step, std::int64_t pairs, double begin) {
    const RankLoad& load = plan.loads()[rank];
    begun[rank] = computed[rank] = std::max(begin, computed[rank]);
    if (pairs == 0) return;
    computed[rank] += seconds(load.work * static_cast<double>(pairs) / static_cast<double>(load.area));
    if (step > 0) computed[rank] += cluster.compute.step_seconds;
    timeline.ranks[rank].computes.push_back({step, begun[rank], computed[rank]});
  };

  const std::vector<std::int64_t> own = step_pairs.own();
  for (std::size_t rank = 0; rank < ranks; ++rank) compute(rank, 0, own[rank], 0);
  std::int32_t index = 0;
  for (const Stage& stage : plan.exchange().stages()) {
    for (std::size_t rank = 0; rank < ranks; ++rank) ready[rank] = std::max(begun[rank], moved[rank]);
    const bool last = index + 1 == plan.exchange().steps();  // brings outputs home, no step follows
    StageRun run(cluster, nodes, layer, ready, last ? computed : ready);
    for (const Hop& hop : stage) run.run(hop);
    const std::vector<std::int64_t> pairs = last ? std::vector<std::int64_t>(ranks) : step_pairs.of(stage);
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      moved[rank] = run.end(rank);
      if (run.takes_part(rank)) timeline.ranks[rank].transfers.push_back({index, run.begin(rank), run.end(rank)});
      if (!last) compute(rank, index + 1, pairs[rank], run.arrived(rank));
    }
    ++index;
  }

  for (std::size_t rank = 0; rank < ranks; ++rank) {
    RankTimeline& line = timeline.ranks[rank];
    line.end = std::max(line.transfers.empty() ? 0 : line.transfers.back().end,
                        line.computes.empty() ? 0 : line.computes.back().end);
    timeline.seconds = std::max(timeline.seconds, line.end);
    timeline.compute_seconds = std::max(timeline.compute_seconds, seconds(plan.loads()[rank].work));
    timeline.hidden_seconds += common_seconds(line.transfers, line.computes) / static_cast<double>(ranks);
  }
  return timeline;
}

double overlapped_seconds(std::span<const double> transfer, std::span<const double> compute) {
  require(compute.size() == transfer.size() + 1, [&] {
    return text("overlapped_seconds: compute has ", compute.size(), " steps: must have one more than the ",
                transfer.size(), " transfers");
  });
  double seconds = 0;
  for (std::size_t i = 0; i < transfer.size(); ++i) seconds += std::max(transfer[i], compute[i]);
  return seconds + compute.back();
}

}  // namespace caesura::solver
