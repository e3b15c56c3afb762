// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/distributed/distribute.hpp>
#include <caesura/error.hpp>
#include <caesura/solver/range_set.hpp>

#include <algorithm>
#include <span>

namespace caesura {

namespace impl {

namespace {

using solver::OwnedRange;
using solver::Placement;
using solver::RangeSet;

std::span<const OwnedRange> owned(const Placement& placement, Side side) {
  return side == Side::queries ? placement.queries() : placement.keys();
}

RangeSet own_rows(const Placement& placement, Side side, int rank) {
  return side == Side::queries ? placement.queries_of(rank) : placement.keys_of(rank);
}

void check_root(const char* function, const Placement& placement, int root) {
  require(root >= every_rank && root < placement.ranks(), [&] {
    return text(function, ": root = ", root, ": must be a rank below ", placement.ranks(), " or every_rank");
  });
}

/// First local row of each owned range, in the placement's order.
std::vector<std::int64_t> local_begins(std::span<const OwnedRange> ranges, std::int32_t ranks) {
  std::vector<std::int64_t> used(static_cast<std::size_t>(ranks), 0), result;
  for (const OwnedRange& range : ranges) {
    std::int64_t& next = used[static_cast<std::size_t>(range.rank)];
    result.push_back(next);
    next += range.rows.size();
  }
  return result;
}

}  // namespace

comm::RowTransfers distribute_transfers(const Placement& placement, Side side, int rank, int root) {
  check_root("distribute", placement, root);
  comm::RowTransfers transfers = collect_transfers(placement, side, rank, root);
  std::swap(transfers.sends, transfers.receives);
  // Where everybody has everything, each takes its own rows.
  if (root == every_rank) {
    std::erase_if(transfers.sends, [&](const comm::RowBlock& block) { return block.peer != rank; });
    std::erase_if(transfers.receives, [&](const comm::RowBlock& block) { return block.peer != rank; });
  }
  return transfers;
}

comm::RowTransfers collect_transfers(const Placement& placement, Side side, int rank, int root) {
  check_root("collect", placement, root);
  comm::RowTransfers transfers;
  std::int64_t local = 0;
  for (const OwnedRange& range : owned(placement, side)) {
    const std::int64_t rows = range.rows.size();
    if (range.rank == rank) {
      for (int peer = 0; peer < placement.ranks(); ++peer) {
        if (root == every_rank || peer == root) transfers.sends.push_back({peer, local, local + rows});
      }
      local += rows;
    }
    if (root == every_rank || root == rank) {
      transfers.receives.push_back({range.rank, range.rows.begin, range.rows.end});
    }
  }
  return transfers;
}

comm::RowTransfers roll_transfers(const Placement& placement, Side side, int rank, std::int64_t shift) {
  const std::span<const OwnedRange> ranges = owned(placement, side);
  const std::vector<std::int64_t> locals = local_begins(ranges, placement.ranks());
  const std::int64_t total = total_of(placement, side);
  comm::RowTransfers transfers;
  if (total == 0) return transfers;
  const std::int64_t forward = (shift % total + total) % total;
  // Along the target rows, so that both ends list their blocks in the same order.
  std::int64_t target = 0;
  while (target < total) {
    const std::int64_t source = (target - forward + total) % total;
    const auto holder = [&](std::int64_t row) {
      return static_cast<std::size_t>(
          std::upper_bound(ranges.begin(), ranges.end(), row,
                           [](std::int64_t r, const OwnedRange& range) { return r < range.rows.end; }) -
          ranges.begin());
    };
    const std::size_t from = holder(source), to = holder(target);
    const std::int64_t rows = std::min({ranges[from].rows.end - source, ranges[to].rows.end - target, total - target});
    if (ranges[from].rank == rank) {
      const std::int64_t begin = locals[from] + source - ranges[from].rows.begin;
      transfers.sends.push_back({ranges[to].rank, begin, begin + rows});
    }
    if (ranges[to].rank == rank) {
      const std::int64_t begin = locals[to] + target - ranges[to].rows.begin;
      transfers.receives.push_back({ranges[from].rank, begin, begin + rows});
    }
    target += rows;
  }
  return transfers;
}

void check_rows(const char* function, const char* name, std::int64_t rows, std::int64_t wanted, const char* rule) {
  require(rows == wanted,
          [&] { return text(function, ": ", name, " has ", rows, " rows: must be ", rule, ", ", wanted); });
}

std::int64_t total_of(const Placement& placement, Side side) {
  return side == Side::queries ? placement.total_q() : placement.total_k();
}

std::int64_t own_of(const Placement& placement, Side side, int rank) { return own_rows(placement, side, rank).size(); }

}  // namespace impl

std::vector<std::int64_t> position_ids(const solver::Placement& placement, int rank, Side side) {
  std::vector<std::int64_t> result;
  for (const Range& range : impl::own_rows(placement, side, rank)) {
    for (std::int64_t row = range.begin; row < range.end; ++row) result.push_back(row);
  }
  return result;
}

}  // namespace caesura
