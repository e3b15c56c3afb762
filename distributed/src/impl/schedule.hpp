// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/local_rows.hpp"
#include <caesura/comm/row_exchange.hpp>
#include <caesura/distributed/distributed_attention.hpp>
#include <caesura/mask.hpp>
#include <caesura/solver/plan.hpp>

#include <array>
#include <cstdint>
#include <vector>

// What a plan means for one rank, in rows of its own buffers. Host data only.

namespace caesura::impl {

/// One attention call: some rows of a query buffer against some rows of the key buffer.
struct Part {
  bool moved = false;    ///< queries that came from another rank, instead of own ones
  bool own_keys = true;  ///< keys are rows of the user's k and v, otherwise of the key buffer
  Range queries;
  Range keys;
  Mask mask;  ///< counted from the first row of both
};

/// Rows of one payload that move in one hop. What arrives lies where it belongs; what is to be added or merged lies in a
/// scratch buffer, and joins its rows in the order of the lists.
struct Movement {
  solver::Payload payload = solver::Payload::keys;
  comm::RowTransfers rows;
  /// What comes from one peer: no row twice.
  struct Addition {
    std::vector<std::int32_t> scratch;
    std::vector<std::int32_t> rows;
  };
  std::vector<Addition> additions;  ///< to rows that are on their way: before the next hop, if there is one
  std::vector<Addition>
      own_additions;  ///< to rows that this rank owns, which computations add to too: behind the stage
};

/// A number of rows for each payload.
using PayloadRows = std::array<std::int64_t, 3>;

/// Movements that run together.
using LocalHop = std::vector<Movement>;
using LocalStage = std::vector<LocalHop>;

/// What a rank does for a plan.
struct LocalSchedule {
  std::int64_t own_queries = 0;
  std::int64_t own_keys = 0;
  LocalRows own_q;                       ///< global query rows in the user's q
  LocalRows own_k;                       ///< global key rows in the user's k and v
  LocalRows moved_q;                     ///< in the buffer of moved queries
  LocalRows keys;                        ///< in the key buffer: own rows too
  bool copies_own_keys = false;          ///< own keys are needed in the key buffer
  bool moves_queries = false;            ///< on some rank
  std::vector<std::vector<Part>> steps;  ///< by compute step; own queries on own keys come first, always all of them
  std::vector<LocalStage> forward;
  std::vector<LocalStage> backward;  ///< the transposed exchange, stages in its order
  PayloadRows forward_scratch = {};
  PayloadRows backward_scratch = {};

  /// Whether a payload's global row is an own one: of keys, or of queries and outputs.
  bool owns(solver::Payload payload, std::int64_t row) const {
    return (payload == solver::Payload::keys ? own_k : own_q).contains(row);
  }
};

LocalSchedule make_schedule(const solver::Plan& plan, std::int32_t rank, Results results);

}  // namespace caesura::impl
