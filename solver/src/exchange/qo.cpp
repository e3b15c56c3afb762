// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/build.hpp"
#include "exchange/draft.hpp"
#include "exchange/port_load.hpp"
#include <caesura/solver/workload.hpp>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace caesura::solver::impl {

namespace {

/// Queries of `target` meet keys of `source` of a transfer: the keys travel, or the queries and their partial outputs.
struct Meeting {
  std::int32_t asking;
  std::int32_t holding;
  double work;  ///< pairs
  std::int64_t key_bytes;
  std::int64_t query_bytes;
  std::int64_t output_bytes;
  RangeSet queries;
  bool moved = false;

  std::int64_t saved_bytes() const { return key_bytes - query_bytes - output_bytes; }
};

/// Times of all ranks, under moves and their undoing.
class Balance {
 public:
  Balance(const Draft& direct, const Cluster& cluster, const Options& options, const std::vector<double>& work)
      : cluster_(cluster),
        nodes_(cluster),
        seconds_per_pair_(compute_seconds(1, options.layer, cluster.compute, options.passes)),
        repeats_(byte_repeats(options.layer, options.passes)),
        work_(work),
        loads_(work.size()) {
    add_traffic(direct.first, nodes_, options.layer, loads_);
    for (std::size_t rank = 0; rank < work.size(); ++rank) times_.push_back(time(loads_[rank], work_[rank]));
  }

  const std::vector<double>& times() const { return times_; }

  /// The later of the two ranks' times if \p meeting changed.
  double after(const Meeting& meeting) const {
    const auto [asking, holding] = changed(meeting);
    return std::max(asking, holding);
  }

  void change(Meeting& meeting) {
    const auto asking = static_cast<std::size_t>(meeting.asking);
    const auto holding = static_cast<std::size_t>(meeting.holding);
    std::tie(times_[asking], times_[holding]) = changed(meeting);
    apply(meeting, loads_[asking], loads_[holding], work_[asking], work_[holding]);
    meeting.moved = !meeting.moved;
  }

  /// What fixed costs and tiles really make of the work.
  void set_work(std::size_t rank, double pairs) {
    work_[rank] = pairs;
    times_[rank] = time(loads_[rank], pairs);
  }

 private:
  double time(const PortLoad& load, double pairs) const {
    return std::max(pairs * seconds_per_pair_, load.byte_seconds(cluster_) * repeats_);
  }

  void apply(const Meeting& meeting, PortLoad& asking, PortLoad& holding, double& asking_work,
             double& holding_work) const {
    const std::int64_t sign = meeting.moved ? -1 : 1;
    const std::size_t across = nodes_.across(meeting.asking, meeting.holding) ? 1 : 0;
    asking.in_bytes[across] += sign * (meeting.output_bytes - meeting.key_bytes);
    holding.out_bytes[across] += sign * (meeting.output_bytes - meeting.key_bytes);
    asking.out_bytes[across] += sign * meeting.query_bytes;
    holding.in_bytes[across] += sign * meeting.query_bytes;
    asking_work -= static_cast<double>(sign) * meeting.work;
    holding_work += static_cast<double>(sign) * meeting.work;
  }

  std::pair<double, double> changed(const Meeting& meeting) const {
    const auto asking = static_cast<std::size_t>(meeting.asking);
    const auto holding = static_cast<std::size_t>(meeting.holding);
    PortLoad asking_load = loads_[asking];
    PortLoad holding_load = loads_[holding];
    double asking_work = work_[asking];
    double holding_work = work_[holding];
    apply(meeting, asking_load, holding_load, asking_work, holding_work);
    return {time(asking_load, asking_work), time(holding_load, holding_work)};
  }

  const Cluster& cluster_;
  Nodes nodes_;
  double seconds_per_pair_;
  double repeats_;
  std::vector<double> work_;
  std::vector<PortLoad> loads_;
  std::vector<double> times_;
};

std::vector<Meeting> meetings_of(const Draft& direct, const Demand& demand, const LayerShape& layer,
                                 const std::vector<double>& work) {
  std::vector<Meeting> meetings;
  meetings.reserve(direct.first.size());
  for (const Transfer& transfer : direct.first) {
    const auto asking = static_cast<std::size_t>(transfer.target);
    const auto slices = demand.slices[asking];
    const auto keys = std::span(direct.ranges)
                          .subspan(static_cast<std::size_t>(transfer.first), static_cast<std::size_t>(transfer.count));
    std::int64_t area = 0;
    std::vector<Range> queries;
    for (const BandSlice& slice : slices) {
      auto k = std::upper_bound(keys.begin(), keys.end(), slice.k_begin,
                                [](std::int64_t key, Range range) { return key < range.end; });
      for (; k != keys.end() && k->begin < slice.k_end; ++k) {
        const BandSlice part = slice.restricted(slice.q(), *k).tight();
        area += part.area();
        queries.push_back(part.q());
      }
    }
    Meeting meeting = {.asking = transfer.target,
                       .holding = transfer.source,
                       .work = work[asking] * static_cast<double>(area) / static_cast<double>(demand.area[asking]),
                       .key_bytes = transfer.rows * layer.key_row_bytes(),
                       .query_bytes = 0,
                       .output_bytes = 0,
                       .queries = RangeSet(std::move(queries))};
    const std::int64_t rows = meeting.queries.size();
    meeting.query_bytes = rows * layer.query_row_bytes();
    meeting.output_bytes = rows * layer.output_row_bytes();
    meetings.push_back(std::move(meeting));
  }
  return meetings;
}

/// Relieves the slowest rank by the change after which the later of the two ranks is earliest, as long as that is earlier.
void shorten_step(std::vector<Meeting>& meetings, Balance& balance) {
  // Smaller gains are not worth their moves, and not surely gains: work is not exactly proportional to pairs.
  constexpr double least_gain = 1e-3;
  std::vector<std::size_t> all(2 * meetings.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const auto of_rank = grouped(
      balance.times().size(), all,
      [&](std::size_t i) {
        const Meeting& meeting = meetings[i / 2];
        return static_cast<std::size_t>(i % 2 == 0 ? meeting.asking : meeting.holding);
      },
      [](std::size_t i) { return i / 2; });
  while (!meetings.empty()) {
    const auto& times = balance.times();
    const auto slowest = std::max_element(times.begin(), times.end());
    double best = *slowest * (1 - least_gain);
    Meeting* chosen = nullptr;
    for (const std::size_t i : of_rank[static_cast<std::size_t>(slowest - times.begin())]) {
      const double after = balance.after(meetings[i]);
      if (after >= best) continue;
      best = after;
      chosen = &meetings[i];
    }
    if (chosen == nullptr) return;
    balance.change(*chosen);
  }
}

/// Fewer bytes, where nobody gets slower than the slowest rank. The largest savings first.
void save_bytes(std::vector<Meeting>& meetings, Balance& balance) {
  const double limit = *std::max_element(balance.times().begin(), balance.times().end());
  const auto gain = [](const Meeting& meeting) {
    return meeting.moved ? -meeting.saved_bytes() : meeting.saved_bytes();
  };
  std::vector<Meeting*> candidates;
  for (Meeting& meeting : meetings) {
    if (gain(meeting) > 0) candidates.push_back(&meeting);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](const Meeting* a, const Meeting* b) { return gain(*a) > gain(*b); });
  for (Meeting* meeting : candidates) {
    if (balance.after(*meeting) <= limit) balance.change(*meeting);
  }
}

Draft draft_of(const Draft& direct, const std::vector<Meeting>& meetings) {
  struct Entry {
    Transfer transfer;
    const Meeting* meeting;
  };
  std::vector<Entry> entries;
  entries.reserve(meetings.size());
  for (std::size_t i = 0; i < meetings.size(); ++i) {
    Transfer transfer = direct.first[i];
    if (meetings[i].moved) {
      std::swap(transfer.source, transfer.target);
      transfer.payload = Payload::queries;
      transfer.rows = meetings[i].queries.size();
    }
    entries.push_back({transfer, &meetings[i]});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.transfer.target, a.transfer.source, a.transfer.payload) <
           std::tie(b.transfer.target, b.transfer.source, b.transfer.payload);
  });
  Draft draft;
  for (Entry& entry : entries) {
    Transfer& transfer = entry.transfer;
    const auto keys = std::span(direct.ranges)
                          .subspan(static_cast<std::size_t>(transfer.first), static_cast<std::size_t>(transfer.count));
    const auto ranges = entry.meeting->moved ? entry.meeting->queries.ranges() : keys;
    transfer.first = static_cast<std::int64_t>(draft.ranges.size());
    transfer.count = static_cast<std::int64_t>(ranges.size());
    draft.ranges.insert(draft.ranges.end(), ranges.begin(), ranges.end());
    draft.first.push_back(transfer);
    if (!entry.meeting->moved) continue;
    std::swap(transfer.source, transfer.target);
    transfer.payload = Payload::outputs;
    draft.outputs.push_back(transfer);
  }
  std::sort(draft.outputs.begin(), draft.outputs.end(), [](const Transfer& a, const Transfer& b) {
    return std::tie(a.target, a.source) < std::tie(b.target, b.source);
  });
  return draft;
}

}  // namespace

Draft moving_queries(Draft direct, const Demand& demand, const Cluster& cluster, const Options& options,
                     StepWork& work) {
  std::vector<Meeting> meetings = meetings_of(direct, demand, options.layer, work.total);
  Balance balance(direct, cluster, options, work.total);
  const double limit = *std::max_element(balance.times().begin(), balance.times().end());
  shorten_step(meetings, balance);
  save_bytes(meetings, balance);

  // So far, work was taken as proportional to pairs. What tiles make of it may exceed the limit: then moves are taken back.
  while (std::ranges::any_of(meetings, &Meeting::moved)) {
    Draft draft = draft_of(direct, meetings);
    const auto ranges_of = [&](const Transfer& transfer) {
      return std::span<const Range>(draft.ranges)
          .subspan(static_cast<std::size_t>(transfer.first), static_cast<std::size_t>(transfer.count));
    };
    const auto slices = computed_slices(demand, draft.first, ranges_of);
    std::vector<double> pairs;
    for (std::size_t rank = 0; rank < slices.size(); ++rank) {
      pairs.push_back(caesura::solver::work(slices[rank], cluster.compute));
      balance.set_work(rank, pairs[rank]);
    }
    const std::vector<double> times = balance.times();
    const auto slow = [&](std::int32_t rank) { return times[static_cast<std::size_t>(rank)] > limit; };
    if (*std::max_element(times.begin(), times.end()) <= limit) {
      work.total = std::move(pairs);
      return draft;
    }
    for (Meeting& meeting : meetings) {
      if (meeting.moved && (slow(meeting.asking) || slow(meeting.holding))) balance.change(meeting);
    }
  }
  return direct;
}

}  // namespace caesura::solver::impl
