// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/plan_checker.hpp>
#include <support/plan_pairs.hpp>
#include <support/plan_replay.hpp>

#include <cmath>
#include <map>
#include <tuple>

namespace caesura::testing {
namespace {

using solver::Cluster;
using solver::Exchange;
using solver::Hop;
using solver::Placement;
using solver::Stage;

void check_cover(std::span<const OwnedRange> owned, std::int64_t total, std::int32_t ranks, const char* what,
                 Log& log) {
  std::int64_t next = 0;
  for (std::size_t i = 0; i < owned.size(); ++i) {
    const OwnedRange& piece = owned[i];
    if (piece.rows.begin != next || piece.rows.empty()) log(what, "s ", name_of(piece.rows), ": must begin at ", next);
    if (piece.rank < 0 || piece.rank >= ranks) log(what, "s ", name_of(piece.rows), ": no rank ", piece.rank);
    if (i > 0 && owned[i - 1].rank == piece.rank)
      log(what, "s ", name_of(piece.rows), ": not merged with those before");
    next = piece.rows.end;
  }
  if (next != total) log(what, " ", next, ": has no owner, or should not exist; the mask has ", total);
}

/// One transfer and its ranges, by themselves.
void check_transfer(const ExchangeParts& parts, const Transfer& transfer, const std::string& where, Log& log) {
  const Exchange& exchange = parts.exchange;
  const auto known = [&](std::int32_t rank) { return rank >= 0 && rank < parts.placement.ranks(); };
  if (!known(transfer.source) || !known(transfer.target) || transfer.source == transfer.target) {
    log(where, "from rank ", transfer.source, " to rank ", transfer.target);
  }
  if (transfer.payload != Payload::keys && exchange.kind() != ExchangeKind::qo) {
    log(where, "moves ", name_of(transfer.payload), ", only qo may");
  }
  const auto list = static_cast<std::int64_t>(exchange.range_count());
  if (transfer.first < 0 || transfer.count < 1 || transfer.first + transfer.count > list) {
    log(where, "has ranges ", transfer.first, " + ", transfer.count, " of ", list);
    return;
  }
  const std::int64_t total = transfer.payload == Payload::keys ? parts.mask.total_k() : parts.mask.total_q();
  std::int64_t rows = 0, behind = -1;
  for (const Range range : exchange.ranges(transfer)) {
    if (range.begin >= range.end || range.begin < 0 || range.end > total) {
      log(where, "range ", name_of(range), " of ", total, " rows");
    }
    if (range.begin <= behind) log(where, "range ", name_of(range), " does not lie apart behind ", behind);
    behind = range.end;
    rows += range.end - range.begin;
  }
  if (rows != transfer.rows) log(where, "says ", transfer.rows, " rows, its ranges have ", rows);
}

void check_form(const ExchangeParts& parts, Log& log) {
  if (parts.placement.ranks() != parts.cluster.ranks || parts.placement.total_q() != parts.mask.total_q() ||
      parts.placement.total_k() != parts.mask.total_k()) {
    log("mask, placement and cluster do not belong together");
    return;
  }
  const std::span<const Stage> stages = parts.exchange.stages();
  std::int32_t steps = 1;  // up to the one behind the last stage that brings something to compute
  for (std::size_t i = 0; i < stages.size(); ++i) {
    for (std::size_t h = 0; h < stages[i].size(); ++h) {
      const Hop& hop = stages[i][h];
      for (std::size_t t = 0; t < hop.size(); ++t) {
        const std::string where = text("stage ", i, " hop ", h, " transfer ", t, ": ");
        check_transfer(parts, hop[t], where, log);
        const auto place = [](const Transfer& x) { return std::tuple(x.target, x.source, x.payload); };
        if (t > 0 && place(hop[t - 1]) >= place(hop[t])) log(where, "out of order, or a second one of its kind");
        if (hop[t].payload != Payload::outputs) steps = static_cast<std::int32_t>(i) + 2;
      }
    }
  }
  if (parts.exchange.steps() != steps) log("steps() = ", parts.exchange.steps(), ", the stages make ", steps);
}

}  // namespace

Violations placement_violations(const Mask& mask, const Placement& placement, const Cluster& cluster,
                                const solver::Options& options) {
  Log log;
  if (placement.ranks() != cluster.ranks) log(placement.ranks(), " ranks in a cluster of ", cluster.ranks);
  check_cover(placement.queries(), mask.total_q(), placement.ranks(), placement.together() ? "token" : "query", log);
  if (!placement.together()) check_cover(placement.keys(), mask.total_k(), placement.ranks(), "key", log);
  if (placement.together() && mask.total_q() != mask.total_k())
    log("queries and keys live together, but are not as many");
  if (!log.empty()) return log.take();

  std::vector<std::int64_t> tokens(static_cast<std::size_t>(placement.ranks()), 0);
  for (const OwnedRange& piece : placement.queries()) tokens[static_cast<std::size_t>(piece.rank)] += piece.rows.size();
  const double share = static_cast<double>(mask.total_q()) / placement.ranks();
  // The product is rounded: a cap that is a whole number must not become the next one.
  const auto cap = static_cast<std::int64_t>(std::ceil(share * (1 + options.token_slack) - 1e-9));
  const std::int64_t least = options.token_slack == 0 ? mask.total_q() / placement.ranks() : 0;
  for (std::size_t rank = 0; rank < tokens.size(); ++rank) {
    if (tokens[rank] > cap) log("rank ", rank, " owns ", tokens[rank], " tokens, may own ", cap);
    if (tokens[rank] < least) log("rank ", rank, " owns ", tokens[rank], " tokens, must own ", least);
  }
  return log.take();
}

Violations transposition_violations(const Exchange& forward, const Exchange& backward) {
  Log log;
  if (forward.kind() != backward.kind()) log("transposed: another kind");
  const auto stages = forward.stages(), reversed = backward.stages();
  if (stages.size() != reversed.size())
    return log("transposed: has ", reversed.size(), " stages, not ", stages.size()), log.take();
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    const Stage& other = reversed[stages.size() - 1 - i];
    if (stage.size() != other.size()) {
      log("transposed: stage ", i, " has ", stage.size(), " hops, its mirror ", other.size());
      continue;
    }
    for (std::size_t h = 0; h < stage.size(); ++h) {
      using Key = std::tuple<std::int32_t, std::int32_t, Payload>;
      const auto content = [](const Exchange& exchange, const Hop& hop, bool exchanged) {
        std::map<Key, std::vector<std::pair<std::int64_t, std::int64_t>>> result;
        for (const Transfer& t : hop) {
          auto& rows = result[exchanged ? Key(t.source, t.target, t.payload) : Key(t.target, t.source, t.payload)];
          for (const Range range : exchange.ranges(t)) rows.emplace_back(range.begin, range.end);
          rows.emplace_back(-1, t.rows);
        }
        return result;
      };
      const Hop& mirror = other[stage.size() - 1 - h];
      if (content(forward, stage[h], false) != content(backward, mirror, true)) {
        log("transposed: stage ", i, " hop ", h, " and its mirror differ");
      }
    }
  }
  return log.take();
}

Violations exchange_violations(const ExchangeParts& parts, Depth depth, const StepSlices& slices) {
  Log log;
  check_form(parts, log);
  if (!log.empty()) return log.take();
  if (Violations reversed = transposition_violations(parts.exchange, parts.exchange.transposed()); !reversed.empty()) {
    return reversed;
  }
  if (depth == Depth::exhaustive) {
    const Replay<RowFlags> replay(parts, log);
    Ledger ledger(parts, replay, log);
    if (log.empty() && slices) ledger.compare(slices);
  } else {
    const Replay<RowIntervals> replay(parts, log);
    const Areas area(parts.mask);
    check_areas(parts, replay, area, log);
    if (log.empty() && slices) compare_areas(parts, replay, area, slices, log);
  }
  return log.take();
}

Violations plan_violations(const solver::Plan& plan, Depth depth) {
  Violations result = placement_violations(plan.mask(), plan.placement(), plan.cluster(), plan.options());
  for (std::string& line :
       exchange_violations({plan.mask(), plan.placement(), plan.cluster(), plan.exchange()}, depth,
                           [&](std::int32_t rank, std::int32_t step) { return plan.slices(rank, step); })) {
    result.push_back(std::move(line));
  }
  return result;
}

std::string joined(const Violations& violations) {
  std::string result;
  for (const std::string& line : violations) result += "\n  " + line;
  return result;
}

}  // namespace caesura::testing
