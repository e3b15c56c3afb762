// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/schedule.hpp"

#include <caesura/error.hpp>
#include <caesura/impl/lowered_storage.hpp>

#include <algorithm>
#include <utility>

namespace caesura::impl {

namespace {

using solver::Payload;
using solver::RangeSet;
using solver::Transfer;

/// What \p rank receives of one payload in a stage.
RangeSet arrivals(const solver::Exchange& exchange, const solver::Stage& stage, std::int32_t rank, Payload payload) {
  std::vector<Range> rows;
  for (const solver::Hop& hop : stage) {
    for (const Transfer& transfer : hop) {
      if (transfer.target != rank || transfer.payload != payload) continue;
      const auto ranges = exchange.ranges(transfer);
      rows.insert(rows.end(), ranges.begin(), ranges.end());
    }
  }
  return RangeSet(std::move(rows));
}

/// Appends the local blocks of a transfer's rows.
void append_blocks(std::vector<comm::RowBlock>& blocks, std::int32_t peer, const LocalRows& rows,
                   std::span<const Range> ranges) {
  for (const Range& range : ranges) {
    for (const LocalPiece& piece : rows.find(range)) {
      blocks.push_back({peer, piece.local, piece.local + piece.global.size()});
    }
  }
}

/// Buffers of the two ends of a payload's rows.
struct Ends {
  const LocalRows& at_source;
  const LocalRows& at_target;
};

Ends ends_of(const LocalSchedule& schedule, Payload payload) {
  switch (payload) {
    case Payload::keys: return {schedule.keys, schedule.keys};
    case Payload::queries: return {schedule.own_q, schedule.moved_q};
    case Payload::outputs: return {schedule.moved_q, schedule.own_q};
  }
  return {schedule.keys, schedule.keys};
}

/// How what arrives is stored.
enum class Arrival : std::uint8_t { in_place, in_scratch };

/// The movements of a hop of \p exchange. Ends are named as in the forward: a transposed transfer runs from its
/// payload's target to its source.
LocalHop local_hop(const LocalSchedule& schedule, const solver::Exchange& exchange, const solver::Hop& hop,
                   std::int32_t rank, bool transposed, PayloadRows& scratch_rows) {
  LocalHop result;
  for (const Payload payload : {Payload::keys, Payload::queries, Payload::outputs}) {
    Movement movement;
    movement.payload = payload;
    std::int64_t& scratch = scratch_rows[static_cast<std::size_t>(payload)];
    // Sums and partial results are not stored over what is there.
    const Arrival arrival = (payload == Payload::outputs) != transposed ? Arrival::in_scratch : Arrival::in_place;
    const Ends ends = ends_of(schedule, payload);
    const LocalRows& sent = transposed ? ends.at_target : ends.at_source;
    const LocalRows& received = transposed ? ends.at_source : ends.at_target;
    bool any = false;
    for (const Transfer& transfer : hop) {
      if (transfer.payload != payload) continue;
      any = true;  // on every rank: preparing an exchange is collective
      const auto ranges = exchange.ranges(transfer);
      if (transfer.source == rank) append_blocks(movement.rows.sends, transfer.target, sent, ranges);
      if (transfer.target != rank) continue;
      if (arrival == Arrival::in_place) {
        append_blocks(movement.rows.receives, transfer.source, received, ranges);
        continue;
      }
      movement.rows.receives.push_back({transfer.source, scratch, scratch + transfer.rows});
      Movement::Addition own, others;
      for (const Range& range : ranges) {
        for (const LocalPiece& piece : received.find(range)) {
          for (std::int64_t i = 0; i < piece.global.size(); ++i) {
            Movement::Addition& addition = schedule.owns(payload, piece.global.begin + i) ? own : others;
            addition.rows.push_back(static_cast<std::int32_t>(piece.local + i));
            addition.scratch.push_back(static_cast<std::int32_t>(scratch++));
          }
        }
      }
      if (!own.rows.empty()) movement.own_additions.push_back(std::move(own));
      if (!others.rows.empty()) movement.additions.push_back(std::move(others));
    }
    if (any) result.push_back(std::move(movement));
  }
  return result;
}

/// \p scratch_rows becomes what the largest stage needs.
std::vector<LocalStage> local_stages(const LocalSchedule& schedule, const solver::Exchange& exchange, std::int32_t rank,
                                     bool transposed, PayloadRows& scratch_rows) {
  std::vector<LocalStage> result;
  for (const solver::Stage& stage : exchange.stages()) {
    LocalStage& local = result.emplace_back();
    PayloadRows used = {};
    for (const solver::Hop& hop : stage) local.push_back(local_hop(schedule, exchange, hop, rank, transposed, used));
    for (std::size_t i = 0; i < used.size(); ++i) scratch_rows[i] = std::max(scratch_rows[i], used[i]);
  }
  return result;
}

/// A call for the pairs of \p slices, on no more rows than they touch.
Part make_part(std::span<const BandSlice> slices, bool moved, const LocalRows& queries, bool own_keys,
               const LocalRows& keys, Joining joining) {
  std::vector<BandSlice> local = local_slices(slices, queries, keys, joining);
  Range q{INT64_MAX, 0}, k{INT64_MAX, 0};
  for (const BandSlice& slice : local) {
    q = {std::min(q.begin, slice.q_begin), std::max(q.end, slice.q_end)};
    k = {std::min(k.begin, slice.k_begin), std::max(k.end, slice.k_end)};
  }
  if (local.empty()) q = k = {0, 0};
  for (BandSlice& slice : local) slice = slice.shifted(-q.begin, -k.begin);
  return {moved, own_keys, q, k, Mask::from_slices(q.size(), k.size(), local)};
}

/// The same for all own queries, also those that see nothing.
Part make_whole_part(std::span<const BandSlice> slices, const LocalSchedule& schedule, bool own_keys,
                     const LocalRows& keys, std::int64_t key_rows, Joining joining) {
  const std::vector<BandSlice> local = local_slices(slices, schedule.own_q, keys, joining);
  return {false,
          own_keys,
          {0, schedule.own_queries},
          {0, key_rows},
          Mask::from_slices(schedule.own_queries, key_rows, local)};
}

}  // namespace

LocalSchedule make_schedule(const solver::Plan& plan, std::int32_t rank, Results results) {
  const solver::Exchange& exchange = plan.exchange();
  const RangeSet queries = plan.placement().queries_of(rank), own = plan.placement().keys_of(rank);
  LocalSchedule schedule;
  schedule.own_queries = queries.size();
  schedule.own_keys = own.size();
  schedule.own_q.add(queries, 0);
  schedule.own_k.add(own, 0);

  const std::span<const solver::Stage> stages = exchange.stages();
  std::vector<RangeSet> new_keys, new_queries;
  for (const solver::Stage& stage : stages) {
    new_keys.push_back(arrivals(exchange, stage, rank, Payload::keys));
    new_queries.push_back(arrivals(exchange, stage, rank, Payload::queries));
    for (const solver::Hop& hop : stage) {
      for (const Transfer& transfer : hop) {
        schedule.moves_queries |= transfer.payload == Payload::queries;
        schedule.copies_own_keys |= transfer.payload == Payload::keys && transfer.source == rank;
      }
    }
  }
  const bool reproducible = results == Results::reproducible;
  require(!(reproducible && schedule.moves_queries), [] {
    return text(
        "DistributedAttention: results = reproducible: not with exchange = qo, whose partial results are summed ",
        "where the keys are; take another exchange");
  });
  if (reproducible) {
    RangeSet all = own;
    for (const RangeSet& rows : new_keys) all = unite(all, rows);
    schedule.keys.add_in_blocks(all, tile_rows);
    schedule.copies_own_keys = true;
  } else {
    if (!stages.empty()) schedule.keys.add(own, 0);
    for (const RangeSet& rows : new_keys) schedule.keys.add(rows, std::max(schedule.keys.size(), own.size()));
  }
  for (const RangeSet& rows : new_queries) schedule.moved_q.add(rows, schedule.moved_q.size());

  for (std::int32_t step = 0; step < exchange.steps(); ++step) {
    std::vector<BandSlice> home = plan.slices(rank, step), away;
    if (schedule.moves_queries) {
      const RangeSet everything({{0, INT64_MAX}});
      const RangeSet guests = subtract(everything, queries);
      away = restricted(home, guests, everything);
      home = restricted(home, queries, everything);
    }
    std::vector<Part>& parts = schedule.steps.emplace_back();
    if (reproducible) continue;
    if (step == 0) {
      parts.push_back(make_whole_part(home, schedule, true, schedule.own_k, schedule.own_keys, Joining::fewest));
    } else if (!home.empty()) {
      parts.push_back(make_part(home, false, schedule.own_q, false, schedule.keys, Joining::fewest));
    }
    if (!away.empty()) parts.push_back(make_part(away, true, schedule.moved_q, true, schedule.own_k, Joining::fewest));
  }
  if (reproducible) {
    // Slices of the mask itself: where keys came from must not cut them.
    const std::vector<BandSlice> all =
        restricted(plan.mask().slices(), queries, RangeSet({{0, plan.mask().total_k()}}));
    schedule.steps.back().push_back(
        make_whole_part(all, schedule, false, schedule.keys, schedule.keys.size(), Joining::none));
  }

  schedule.forward = local_stages(schedule, exchange, rank, false, schedule.forward_scratch);
  schedule.backward = local_stages(schedule, exchange.transposed(), rank, true, schedule.backward_scratch);
  return schedule;
}

}  // namespace caesura::impl
