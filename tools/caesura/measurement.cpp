// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "measurement.hpp"

namespace caesura::tools {

namespace {

template <AttentionScalar Scalar>
Measurement measure_scalar(const Mask& mask, const ProblemSize& size, const AttentionOptions& options,
                           const MeasureArguments& arguments, std::int64_t seed, Verify verification,
                           Progress& progress) {
  const Space space;
  Measurement result;
  result.size = size;
  result.area = mask.area();
  require_memory(size);
  result.lowering = time_work(space, 3, "lowering", progress,
                              [&] { const AttentionPlan<Space> plan(space, mask, {.passes = size.passes}); });
  const AttentionPlan<Space> plan(space, mask, {.passes = size.passes});
  result.plan_bytes = plan.memory_bytes();

  progress.show("random inputs");
  const Tensors<Scalar> tensors(size);
  fill_normal<Scalar>(space, tensors.q, seed, 0);
  fill_normal<Scalar>(space, tensors.k, seed, 1);
  fill_normal<Scalar>(space, tensors.v, seed, 2);
  if (result.has_backward()) fill_normal<Scalar>(space, tensors.dout, seed, 3);
  space.fence("caesura::tools::inputs");
  progress.clear();

  result.variants = variants(plan, tensors, size, options);
  result.forward =
      time_work(space, arguments.repeat, "forward", progress, [&] { run_forward(space, plan, tensors, options); });
  if (result.has_backward()) {
    result.backward =
        time_work(space, arguments.repeat, "backward", progress, [&] { run_backward(space, plan, tensors, options); });
  }
  if (verification == Verify::yes) result.errors = verify(mask, tensors, size, options, progress);
  return result;
}

}  // namespace

ProblemSize size_of(const Mask& mask, const ShapeArguments& shape, const MeasureArguments& arguments) {
  return {.total_q = mask.total_q(),
          .total_k = mask.total_k(),
          .heads_q = shape.heads_q,
          .heads_kv = shape.heads_kv,
          .dim_qk = shape.dim_qk,
          .dim_v = shape.dim_v,
          .sinks = 0,
          .type = shape.type,
          .passes = arguments.forward_only ? Passes::forward : Passes::forward_and_backward};
}

Measurement measure(const Mask& mask, const ShapeArguments& shape, const ScoreArguments& score,
                    const MeasureArguments& arguments, Verify verification, Progress& progress) {
  const ProblemSize size = size_of(mask, shape, arguments);
  AttentionOptions options = to_options(score);
  options.variant = arguments.variant;
  return with_scalar(shape.type, [&]<class Scalar>() {
    return measure_scalar<Scalar>(mask, size, options, arguments, score.seed, verification, progress);
  });
}

}  // namespace caesura::tools
