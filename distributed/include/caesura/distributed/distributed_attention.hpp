// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention.hpp>
#include <caesura/comm/communicator.hpp>
#include <caesura/solver/plan.hpp>
#include <caesura/solver/simulate.hpp>
#include <caesura/view_ref.hpp>

#include <cstdint>
#include <memory>

namespace caesura {

/// What bits a forward gives on another number of ranks.
enum class Results : std::uint8_t {
  fastest,  ///< equal within rounding; keys are used as they arrive
  reproducible  ///< equal bits on any number of ranks and threads: keys are used in their global order, behind all transfers
};

/// What a `DistributedAttention` must know beforehand.
struct DistributedShape {
  std::int32_t heads_q = 1;
  std::int32_t heads_kv = 1;  ///< divides heads_q
  std::int32_t dim = 0;       ///< of queries and keys
  std::int32_t dim_v = 0;     ///< of values; 0: dim
  ScalarType type = ScalarType::float32;
  Passes passes = Passes::forward_and_backward;
  Results results = Results::fastest;
};

namespace impl {
template <class Space>
class DistributedState;
class GatheredRows;
}  // namespace impl

/// What a rank has received in a forward. With it the layer's backward receives no keys again; it costs
/// `memory_bytes()` a layer.
class KeptKeys {
 public:
  std::int64_t memory_bytes() const;

  /// For the library's own sources.
  explicit KeptKeys(std::shared_ptr<impl::GatheredRows> rows) : rows_(std::move(rows)) {}
  const std::shared_ptr<impl::GatheredRows>& impl_rows() const { return rows_; }

 private:
  std::shared_ptr<impl::GatheredRows> rows_;
};

/// What the last call moved, and how long it waited for that.
struct CallReport {
  std::int64_t bytes_sent = 0;  ///< over the wire
  std::int64_t bytes_received = 0;
  double waited_seconds = 0;  ///< time in which the host had nothing to compute
  /// When stages moved and steps were computed, in seconds from the call's begin; only of forwards, and only if recorded.
  solver::RankTimeline timeline;
};

/// Whether calls note the time of each stage and step, for which they wait for every step's end.
enum class Recording : std::uint8_t { off, on };

/// Exact attention over tokens that are spread over ranks as a `solver::Plan` says: it moves what the plan's exchange
/// names, computes what has arrived while the next stage is on its way, and merges.
///
///     solver::Plan plan = solver::solve(mask, cluster_of(communicator));
///     DistributedAttention attention(space, communicator, plan, {.heads_q = 32, .heads_kv = 8, .dim = 128});
///     attention.forward(q, k, v, out, lse);  // the rows of plan.local_tokens(rank), in that order
///
/// Made once and used for all layers and steps: nothing is allocated after it is made, nor after the first use of a
/// communicator's message buffers. All ranks make it, and call it, together. Equal inputs give equal bits from run to run.
template <ExecutionSpace Space>
class DistributedAttention {
 public:
  /// Collective.
  /// \throws Error if the plan is for another number of ranks, if ranks have different plans (the first one that
  ///         differs), or for a shape that breaks a rule.
  DistributedAttention(const Space& space, const comm::Communicator& communicator, solver::Plan plan,
                       const DistributedShape& shape);
  ~DistributedAttention();
  DistributedAttention(DistributedAttention&&) noexcept;
  DistributedAttention& operator=(DistributedAttention&&) noexcept;

  /// \param q    (own queries, heads_q, dim): the rows of `plan.placement().queries_of(rank)`, in that order
  /// \param k    (own keys, heads_kv, dim)
  /// \param v    (own keys, heads_kv, dim_v)
  /// \param out  (own queries, heads_q, dim_v)
  /// \param lse  (own queries, heads_q), natural logarithm
  /// \param options  as for one rank: sink, softcap, dropout (the same numbers as on one rank), row_max; positions are
  ///                 filled in
  /// \param kept     of this layer, from `keep_keys()`: holds what is received until the backward
  ///
  /// Returns when all transfers are done; the last computation may still run on the space.
  /// \throws Error (invalid_argument) for wrong rows or types, before anything moves; (communication) if a rank fails.
  void forward(const ViewRef& q, const ViewRef& k, const ViewRef& v, const ViewRef& out, const ViewRef& lse,
               const AttentionOptions& options = {}, KeptKeys* kept = nullptr);

  /// The gradients of `forward`, from what it saved; the forward is not run again. Without \p kept, keys are received again.
  /// dk and dv of the own keys are summed over the ranks that saw them, in float (double for double), in a fixed order.
  /// dsink is summed over all ranks and the same on each.
  void backward(const ViewRef& dout, const ViewRef& q, const ViewRef& k, const ViewRef& v, const ViewRef& out,
                const ViewRef& lse, const ViewRef& dq, const ViewRef& dk, const ViewRef& dv,
                const AttentionOptions& options = {}, KeptKeys* kept = nullptr);

  /// Memory for what one layer's forward receives.
  KeptKeys keep_keys() const;

  const solver::Plan& plan() const;
  /// Everything it allocates: buffers, lowered masks, messages. It does not change, but for the gradients of several
  /// sinks a head, which the first backward with them allocates, and a few hundred bytes of lists with the first use of
  /// each `KeptKeys`.
  std::int64_t memory_bytes() const;
  const CallReport& last_call() const;
  void record(Recording recording);

 private:
  std::unique_ptr<impl::DistributedState<Space>> state_;
};

}  // namespace caesura
