// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/communicator.hpp>
#include <caesura/comm/row_exchange.hpp>
#include <caesura/solver/placement.hpp>

#include <cstdint>
#include <vector>

// Rows of whole tensors to the ranks that own them, and back. All of it is exact copies: labels, losses, positions and
// embeddings of any type and shape, not only what attention reads.

namespace caesura {

/// Whose rows a tensor has: in self attention they are the same.
enum class Side : std::uint8_t { queries, keys };

/// For `distribute` and `collect`: every rank has the whole tensor.
inline constexpr int every_rank = -1;

namespace impl {
comm::RowTransfers distribute_transfers(const solver::Placement& placement, Side side, int rank, int root);
comm::RowTransfers collect_transfers(const solver::Placement& placement, Side side, int rank, int root);
comm::RowTransfers roll_transfers(const solver::Placement& placement, Side side, int rank, std::int64_t shift);
void check_rows(const char* function, const char* name, std::int64_t rows, std::int64_t wanted, const char* rule);
std::int64_t total_of(const solver::Placement& placement, Side side);
std::int64_t own_of(const solver::Placement& placement, Side side, int rank);
}  // namespace impl

/// Gives each rank its rows of a tensor. Collective, asynchronous on \p space.
/// \param whole  (total, ...), read on \p root only, or on every rank for `every_rank`, and then nothing travels
/// \param local  (own rows, ...), in the order of `plan.local_tokens(rank)`
template <ExecutionSpace Space, comm::RowsView Whole, comm::WritableRowsView Local>
comm::Request distribute(const Space& space, const comm::Communicator& communicator, const solver::Placement& placement,
                         const Whole& whole, const Local& local, int root = 0, Side side = Side::queries) {
  const int rank = communicator.rank();
  if (root == every_rank || root == rank) {
    impl::check_rows("distribute", "whole", static_cast<std::int64_t>(whole.extent(0)), impl::total_of(placement, side),
                     "the placement's total");
  }
  impl::check_rows("distribute", "local", static_cast<std::int64_t>(local.extent(0)),
                   impl::own_of(placement, side, rank), "what this rank owns");
  return comm::send_receive(space, communicator, whole, local, impl::distribute_transfers(placement, side, rank, root));
}

/// The adjoint of `distribute`: the whole tensor on \p root, or on every rank.
/// \param local  (own rows, ...)
/// \param whole  (total, ...), written on \p root only, or on every rank for `every_rank`
template <ExecutionSpace Space, comm::RowsView Local, comm::WritableRowsView Whole>
comm::Request collect(const Space& space, const comm::Communicator& communicator, const solver::Placement& placement,
                      const Local& local, const Whole& whole, int root = 0, Side side = Side::queries) {
  const int rank = communicator.rank();
  impl::check_rows("collect", "local", static_cast<std::int64_t>(local.extent(0)), impl::own_of(placement, side, rank),
                   "what this rank owns");
  if (root == every_rank || root == rank) {
    impl::check_rows("collect", "whole", static_cast<std::int64_t>(whole.extent(0)), impl::total_of(placement, side),
                     "the placement's total");
  }
  return comm::send_receive(space, communicator, local, whole, impl::collect_transfers(placement, side, rank, root));
}

/// Moves every row \p shift tokens on: row g of the whole becomes row (g + shift) modulo the total. Negative shifts
/// move back, so that -1 gives each token its successor (labels). The adjoint is the roll by -shift.
/// \param from  (own rows, ...)
/// \param to    (own rows, ...), must not overlap `from`
template <ExecutionSpace Space, comm::RowsView From, comm::WritableRowsView To>
comm::Request roll(const Space& space, const comm::Communicator& communicator, const solver::Placement& placement,
                   const From& from, const To& to, std::int64_t shift, Side side = Side::queries) {
  const int rank = communicator.rank();
  const std::int64_t own = impl::own_of(placement, side, rank);
  impl::check_rows("roll", "from", static_cast<std::int64_t>(from.extent(0)), own, "what this rank owns");
  impl::check_rows("roll", "to", static_cast<std::int64_t>(to.extent(0)), own, "what this rank owns");
  return comm::send_receive(space, communicator, from, to, impl::roll_transfers(placement, side, rank, shift));
}

/// The global row of each local row: positions for rotary embeddings over the whole sequence, and where a rank that
/// loads its own tokens finds them.
std::vector<std::int64_t> position_ids(const solver::Placement& placement, int rank, Side side = Side::queries);

}  // namespace caesura
