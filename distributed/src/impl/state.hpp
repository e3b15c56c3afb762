// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/progress.hpp"
#include "impl/row_kernels.hpp"
#include "impl/schedule.hpp"
#include "impl/stage_transfer.hpp"
#include <caesura/attention.hpp>
#include <caesura/distributed/distributed_attention.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace caesura::impl {

/// What a rank receives in a forward; its space erased.
class GatheredRows {
 public:
  GatheredRows() = default;
  GatheredRows(const GatheredRows&) = delete;
  GatheredRows& operator=(const GatheredRows&) = delete;
  virtual ~GatheredRows() = default;
  virtual std::int64_t memory_bytes() const = 0;
};

template <class Space>
class GatheredRowsOf : public GatheredRows {
 public:
  RowBuffer<Space> keys;     ///< (rows, heads_kv, dim | dim_v)
  RowBuffer<Space> moved_q;  ///< (rows, heads_q, dim)
  std::int64_t memory_bytes() const override { return keys.memory_bytes() + moved_q.memory_bytes(); }
};

/// The tensors of one call.
struct ForwardTensors {
  const ViewRef &q, &k, &v, &out, &lse;
};
struct BackwardTensors {
  const ViewRef &dout, &q, &k, &v, &out, &lse, &dq, &dk, &dv;
};

/// Everything behind a `DistributedAttention`.
template <class Space>
class DistributedState {
 public:
  DistributedState(const Space& space, const comm::Communicator& communicator, solver::Plan plan,
                   const DistributedShape& shape);

  void forward(const ForwardTensors& tensors, const AttentionOptions& options, KeptKeys* kept);
  void backward(const BackwardTensors& tensors, const AttentionOptions& options, KeptKeys* kept);

  /// After an error: until nothing is under way that writes to buffers, the caller's kept keys among them.
  void settle() noexcept;

  std::shared_ptr<GatheredRowsOf<Space>> gather_buffers() const;
  const solver::Plan& plan() const { return plan_; }
  const CallReport& report() const { return report_; }
  std::int64_t memory_bytes() const;
  void record(Recording recording) { recording_ = recording; }

 private:
  using Clock = std::chrono::steady_clock;
  using Transfers = std::deque<StageTransfer<Space>>;
  using TransferSpace = typename StageTransfer<Space>::TransferSpace;
  using Positions = Kokkos::View<std::int32_t*, typename Space::memory_space>;

  struct LoweredPart {
    Part part;
    AttentionPlan<Space> plan;
  };

  // Set-up.
  void check_shape() const;
  void check_plans() const;
  void allocate_buffers();
  void prepare_messages();

  // Both passes.
  GatheredRowsOf<Space>& rows_of(KeptKeys* kept) const;
  void copy_own_rows(GatheredRowsOf<Space>& rows, const ViewRef& q, const ViewRef& k, const ViewRef& v) const;
  /// The part of all own queries, the first that is computed.
  const LoweredPart* whole_part() const {
    return shape_.results == Results::reproducible ? &steps_.back().front() : &steps_.front().front();
  }
  bool is_local() const { return schedule_.forward.empty() && schedule_.steps.front().front().own_keys; }
  ViewRef keys_of(const Part& part, const GatheredRowsOf<Space>& rows, const ViewRef& k) const;
  ViewRef values_of(const Part& part, const GatheredRowsOf<Space>& rows, const ViewRef& v) const;
  AttentionOptions options_of(const Part& part, const AttentionOptions& options) const;
  void start(StageTransfer<Space>& stage, const StageBuffers<Space>& buffers, bool with_outputs);
  void wait();
  void begin_report();
  void end_report();
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  // A call runs in turns: stage i moves while step i computes, in the backward the other way round. A last stage that
  // only takes results home has a turn of its own behind the last step.
  std::size_t turns() const { return std::max(steps_.size(), forward_.size() + (last_stage_is_late() ? 1 : 0)); }
  bool last_stage_is_late() const { return !forward_.empty() && steps_.size() == forward_.size(); }
  bool has_stage(std::size_t turn) const {
    return last_stage_is_late() ? turn + 1 != forward_.size() : turn < forward_.size();
  }
  std::size_t stage_of(std::size_t turn) const { return turn < forward_.size() ? turn : turn - 1; }

  // Forward.
  StageBuffers<Space> forward_buffers(GatheredRowsOf<Space>& rows) const;
  void compute(const LoweredPart& lowered, const ForwardTensors& tensors, const ViewRef& out,
               const GatheredRowsOf<Space>& rows, const AttentionOptions& options);
  void note_compute(std::size_t step, double begin);
  void merge_arrivals(const StageTransfer<Space>& stage, const ViewRef& out, const ViewRef& lse,
                      const ViewRef& row_max) const;

  // Backward.
  StageBuffers<Space> backward_buffers() const;
  void differentiate(const LoweredPart& lowered, const BackwardTensors& tensors, const ViewRef& dq,
                     const GatheredRowsOf<Space>& rows, const AttentionOptions& options);
  void add_arrivals(const StageTransfer<Space>& stage, const ViewRef& dq) const;
  void clear(const ViewRef& view) const { clear_rows(space_, view); }
  void allocate_dsink(std::int64_t sinks);
  void prepare_dsink(const AttentionOptions& options);
  ViewRef dsink_like(const ViewRef& sink) const;
  void reduce_dsink(const AttentionOptions& options);

  Space space_;
  TransferSpace transfer_space_;
  comm::Communicator communicator_;
  solver::Plan plan_;
  DistributedShape shape_;
  ScalarType sum_type_;
  LocalSchedule schedule_;
  std::vector<std::vector<LoweredPart>> steps_;
  Transfers forward_, backward_;

  Positions own_q_positions_, own_k_positions_, moved_q_positions_, key_positions_;
  RowPairs<Space> to_key_buffer_, from_key_buffer_;  // own keys: row i of k, row to[i] of the key buffer, and back
  std::shared_ptr<GatheredRowsOf<Space>> gathered_;
  RowBuffer<Space> running_out_, dq_sum_, key_gradients_, key_scratch_;
  RowBuffer<Space> own_q_, moved_results_, result_scratch_;         // moved queries, forward
  RowBuffer<Space> own_dout_, moved_dout_, moved_dq_, dq_scratch_;  // and backward
  Kokkos::View<std::byte*, typename Space::memory_space> workspace_;
  RowBuffer<Space> dsink_;
  CallReport report_;
  Recording recording_ = Recording::off;
  Clock::time_point begin_;
  std::int64_t sent_before_ = 0, received_before_ = 0;
  ProgressThread progress_;  // last: its thread ends before what it works on
};

}  // namespace caesura::impl
