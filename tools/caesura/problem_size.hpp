// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention_plan.hpp>
#include <caesura/scalar.hpp>

#include <cstdint>

namespace caesura::tools {

/// The sizes of one attention call.
struct ProblemSize {
  std::int64_t total_q = 0;
  std::int64_t total_k = 0;
  std::int64_t heads_q = 1;
  std::int64_t heads_kv = 1;
  std::int64_t dim_qk = 1;
  std::int64_t dim_v = 1;
  std::int64_t sinks = 0;
  ScalarType type = ScalarType::float32;
  Passes passes = Passes::forward_and_backward;

  /// Of q, k, v, out, lse, and for the backward of dout, dq, dk, dv, and the sinks.
  std::int64_t tensor_bytes() const;
  std::int64_t workspace_bytes() const;

  /// 4 x visible pairs x (dim_qk + dim_v) / 2 x heads_q: two matrix products, 2 FLOPs a multiply-add.
  double forward_flops(std::int64_t area) const;
  /// 2.5 times the forward: five products.
  double backward_flops(std::int64_t area) const { return 2.5 * forward_flops(area); }
};

/// Throws `Error` (resources) with the bytes asked and there, if the tensors cannot fit; hosts only, where the
/// system would promise the memory and then end the program.
void require_memory(const ProblemSize& size);

}  // namespace caesura::tools
