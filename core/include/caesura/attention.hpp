// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention_plan.hpp>
#include <caesura/view_ref.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace caesura {

/// A pair is dropped with this probability; the numbers come from Philox4x32-10 keyed by `seed` and counted by
/// (key / 4, query, head, offset) in the mask's coordinates, so they depend on neither tiles, threads nor kernels.
/// Passing the same state to the backward repeats them: this struct is what a caller saves.
struct Dropout {
  double probability = 0;  ///< in [0, 1)
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;  ///< another value for every layer and step
};

/// Whether gradients are replaced or added to.
enum class GradientMode : std::uint8_t { overwrite, accumulate };

/// Whether the forward's results are replaced, or joined by keys that they have not seen yet.
enum class ResultMode : std::uint8_t {
  overwrite,
  merge  ///< out, lse (and row_max) hold the result over other keys: as if all had been seen in one call
};

/// Where the forward cuts the keys that it visits step by step.
enum class KeySteps : std::uint8_t {
  tight,   ///< at what the rows of a tile see: fewest steps
  aligned  ///< at multiples of the step: the bits of a row do not depend on which other rows are in the call
};

/// In which order the backward may add.
enum class SumOrder : std::uint8_t {
  fixed,  ///< the same bits on every run
  any     ///< GPUs may add to dq by atomics: five products instead of seven, last bits that differ from run to run
};

/// Options of the forward and the backward; both calls of a step take the same object.
struct AttentionOptions {
  /// Factor on `q . k`, any finite value; not given: `1 / sqrt(dim_qk)`.
  std::optional<double> softmax_scale = {};
  /// Logits become `softcap * tanh(logit / softcap)`; 0: none.
  double softcap = 0;
  /// Learnable sink: `(heads_q)` or `(heads_q, sinks)` logits in the accumulator type, joined to every row's
  /// denominator (and `lse`) without a value of their own.
  ViewRef sink = {};
  Dropout dropout = {};
  /// For dropout where the call is a part of a larger one: `(total_q)`, `(total_k)` int32, each row's position in the
  /// whole sequence, and the whole model's number of the first query head. Not given: the row's number.
  ViewRef q_positions = {};
  ViewRef k_positions = {};
  std::int32_t first_head = 0;
  /// Forward only, output: `(total_q, heads_q)`, the largest scaled, capped logit of each row (without sink), -inf if none.
  ViewRef row_max = {};
  /// Forward only. A sink must be in one of the calls that are merged, no matter which. `out` should be of the accumulator type.
  ResultMode results = ResultMode::overwrite;
  KeySteps key_steps = KeySteps::tight;
  /// Backward only, output: the gradient of `sink`, of its shape.
  ViewRef dsink = {};
  /// Of tensors that several calls may share because they see the same keys: dk, dv, dsink.
  GradientMode gradients = GradientMode::overwrite;
  /// Of dq, which calls with other keys for the same queries share.
  GradientMode query_gradients = GradientMode::overwrite;
  SumOrder sums = SumOrder::fixed;
  /// Backward only: `backward_workspace_bytes` of scratch `(bytes)` of `std::byte`, 16-byte aligned; not given: allocated for the call.
  ViewRef workspace = {};
  /// Host kernels copy keys and values (the backward: queries and gradients too) into an order that suits vectors, for no
  /// more key heads at a time than this many bytes hold, but at least one. In the backward, a thread that takes a document
  /// by itself has its share of them, or what a core's second cache holds. The memory is kept for later calls.
  std::int64_t pack_bytes = std::int64_t{64} << 20;
  /// The name of the kernel to use; empty: the best supported one, or what CAESURA_FORCE_KERNEL names.
  std::string variant = {};
};

/// `out = softmax(scale * q k^T, masked) v` for every document of the plan, and its log-sum-exp.
///
/// \param q    (total_q, heads_q, dim_qk)
/// \param k    (total_k, heads_kv, dim_qk), `heads_q % heads_kv == 0`: query head h reads key head `h / (heads_q / heads_kv)`
/// \param v    (total_k, heads_kv, dim_v)
/// \param out  (total_q, heads_q, dim_v), of the type of q or of its accumulator
/// \param lse  (total_q, heads_q), natural logarithm, float (double for double)
///
/// Each tensor may be strided, its last extent contiguous; or of rank 4, `(batch, seq, heads, dim)` (lse: `(batch, seq,
/// heads)`), flattened to `batch * seq` rows without a copy. Dims are 1 to 512. Rows that see no key get `out = 0`,
/// `lse = -inf` (with a sink: the sink's own log-sum-exp). Values of keys that no row sees are never mixed in, NaN or not.
///
/// Asynchronous on \p space; never fences. \throws Error before any output is touched.
/// Source: online softmax, Milakov & Gimelshein 2018, arXiv:1805.02867; tiling, Dao et al. 2022, arXiv:2205.14135.
template <ExecutionSpace Space>
void attention_forward(const Space& space, const AttentionPlan<Space>& plan, const ViewRef& q, const ViewRef& k,
                       const ViewRef& v, const ViewRef& out, const ViewRef& lse, const AttentionOptions& options = {});

/// The gradients of `attention_forward`, from what it saved. The forward is not run again.
///
/// \param dout  gradient of `out`, of its shape; in the type of q or its accumulator, as `out`, `dq`, `dk`, `dv` may be
/// \param dq, dk, dv  of the shapes of q, k, v. Rows that saw nothing, or were seen by none, get exact zeros
///                    (`GradientMode::accumulate`: dk, dv and dsink keep what was there, bit for bit).
///
/// Deterministic unless `SumOrder::any`: the same bits on every run and for every number of threads. Asynchronous on \p space.
/// \throws Error before any output is touched, also if the plan was made with `Passes::forward`.
template <ExecutionSpace Space>
void attention_backward(const Space& space, const AttentionPlan<Space>& plan, const ViewRef& dout, const ViewRef& q,
                        const ViewRef& k, const ViewRef& v, const ViewRef& out, const ViewRef& lse, const ViewRef& dq,
                        const ViewRef& dk, const ViewRef& dv, const AttentionOptions& options = {});

/// Bytes of scratch that `attention_backward` needs: one accumulator per query row and head.
std::int64_t backward_workspace_bytes(std::int64_t total_q, std::int64_t heads_q, ScalarType type);

/// The same for either order; for `SumOrder::any`, with room for dq in its accumulator type.
std::int64_t backward_workspace_bytes(std::int64_t total_q, std::int64_t heads_q, std::int64_t dim_qk, ScalarType type,
                                      SumOrder sums);

}  // namespace caesura
