// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/in_process.hpp>
#include <caesura/distributed/distributed_attention.hpp>
#include <caesura/solver/solver.hpp>
#include <support/attention_case.hpp>

#include <algorithm>
#include <mutex>

namespace caesura::testing {

/// Ranks of tests compute on one thread each.
using RankSpace = Kokkos::Serial;
inline RankSpace make_rank_space() { return Kokkos::Serial(Kokkos::NewInstance{}); }

/// The rows of a set, in its order.
inline reference::Tensor take_rows(const reference::Tensor& whole, const solver::RangeSet& rows) {
  reference::Tensor part(rows.size(), whole.heads, whole.dim);
  auto to = part.values.begin();
  const std::int64_t row = whole.heads * whole.dim;
  for (const Range& range : rows) {
    to = std::copy(whole.values.begin() + range.begin * row, whole.values.begin() + range.end * row, to);
  }
  return part;
}

/// Some rows and heads of a tensor.
inline reference::Tensor block_of(const reference::Tensor& whole, Range rows, Range own_heads) {
  reference::Tensor part(rows.size(), own_heads.size(), whole.dim);
  for (std::int64_t row = 0; row < part.rows; ++row) {
    for (std::int64_t head = 0; head < part.heads; ++head) {
      for (std::int64_t i = 0; i < part.dim; ++i)
        part(row, head, i) = whole(rows.begin + row, own_heads.begin + head, i);
    }
  }
  return part;
}

inline void put_rows(reference::Tensor& whole, const reference::Tensor& part, const solver::RangeSet& rows) {
  auto from = part.values.begin();
  const std::int64_t row = whole.heads * whole.dim;
  for (const Range& range : rows) {
    std::copy(from, from + range.size() * row, whole.values.begin() + range.begin * row);
    from += range.size() * row;
  }
}

/// One rank's share of a problem.
inline Problem share_of(const Problem& whole, const solver::Placement& placement, std::int32_t rank) {
  Problem part = whole;
  const solver::RangeSet queries = placement.queries_of(rank), keys = placement.keys_of(rank);
  part.q = take_rows(whole.q, queries);
  part.dout = take_rows(whole.dout, queries);
  part.k = take_rows(whole.k, keys);
  part.v = take_rows(whole.v, keys);
  return part;
}

/// Results of one rank to its rows of the whole's.
inline void put_results(Results& whole, const Results& part, const solver::Placement& placement, std::int32_t rank) {
  const solver::RangeSet queries = placement.queries_of(rank), keys = placement.keys_of(rank);
  put_rows(whole.out, part.out, queries);
  put_rows(whole.lse, part.lse, queries);
  put_rows(whole.row_max, part.row_max, queries);
  put_rows(whole.dq, part.dq, queries);
  put_rows(whole.dk, part.dk, keys);
  put_rows(whole.dv, part.dv, keys);
  whole.dsink = part.dsink;
}

/// Whether some query travels to keys.
inline bool moves_queries(const solver::Plan& plan) {
  for (const solver::Stage& stage : plan.exchange().stages()) {
    for (const solver::Hop& hop : stage) {
      for (const solver::Transfer& transfer : hop) {
        if (transfer.payload == solver::Payload::queries) return true;
      }
    }
  }
  return false;
}

/// What the runs of a distributed test differ in.
struct DistributedRun {
  caesura::Results results = caesura::Results::fastest;
  bool keeps_keys = true;
  int steps = 1;  ///< forward and backward, one behind the other
  Layouts layouts = {};
  std::int32_t first_head = 0;
};

/// Forward and backward of one rank; results go to the rows of \p whole that the rank owns. Returns the report of the
/// last forward.
template <AttentionScalar Scalar, AttentionScalar OutScalar = Scalar>
CallReport run_rank(const comm::Communicator& communicator, const Problem& problem, const solver::Plan& plan,
                    const DistributedRun& run, Results& whole, std::mutex& mutex) {
  const RankSpace space = make_rank_space();
  const HeadShape& heads = problem.shape;
  const std::int32_t rank = communicator.rank();
  DistributedAttention<RankSpace> attention(space, communicator, plan,
                                            {.heads_q = static_cast<std::int32_t>(heads.heads_q),
                                             .heads_kv = static_cast<std::int32_t>(heads.heads_kv),
                                             .dim = static_cast<std::int32_t>(heads.dim_qk),
                                             .dim_v = static_cast<std::int32_t>(heads.dim_v),
                                             .type = scalar_type_v<Scalar>,
                                             .results = run.results});
  const DeviceCase<Scalar, OutScalar, RankSpace::memory_space> own(share_of(problem, plan.placement(), rank),
                                                                   run.layouts);
  AttentionOptions options = own.options;
  options.first_head = run.first_head;
  KeptKeys kept = attention.keep_keys();
  KeptKeys* const keeper = run.keeps_keys ? &kept : nullptr;
  CallReport report;
  for (int step = 0; step < run.steps; ++step) {
    attention.forward(own.q, own.k, own.v, own.out, own.lse.matrix(), options, keeper);
    report = attention.last_call();
    attention.backward(own.dout, own.q, own.k, own.v, own.out, own.lse.matrix(), own.dq, own.dk, own.dv, options,
                       keeper);
  }
  space.fence();
  const Results part = own.download();
  const std::lock_guard lock(mutex);
  put_results(whole, part, plan.placement(), rank);
  return report;
}

/// Results of the whole problem's shape.
inline Results empty_results(const Problem& problem) {
  const HeadShape& shape = problem.shape;
  const std::int64_t total_q = problem.mask.total_q(), total_k = problem.mask.total_k();
  return {reference::Tensor(total_q, shape.heads_q, shape.dim_v),
          reference::Tensor(total_q, shape.heads_q, 1),
          reference::Tensor(total_q, shape.heads_q, 1),
          reference::Tensor(total_q, shape.heads_q, shape.dim_qk),
          reference::Tensor(total_k, shape.heads_kv, shape.dim_qk),
          reference::Tensor(total_k, shape.heads_kv, shape.dim_v),
          {}};
}

/// The same on all ranks of this process.
template <AttentionScalar Scalar, AttentionScalar OutScalar = Scalar>
Results run_in_process(const Problem& problem, const solver::Plan& plan, const DistributedRun& run = {}) {
  Results whole = empty_results(problem);
  std::mutex mutex;
  comm::run_in_process(plan.cluster().ranks, [&](const comm::Communicator& communicator) {
    run_rank<Scalar, OutScalar>(communicator, problem, plan, run, whole, mutex);
  });
  return whole;
}

}  // namespace caesura::testing
