// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "attention_step.hpp"
#include "options.hpp"
#include "timing.hpp"
#include "verify.hpp"
#include <caesura/mask.hpp>

#include <vector>

namespace caesura::tools {

enum class Verify { no, yes };

/// What `run` and `bench` measure for one mask and one shape, with random inputs.
struct Measurement {
  ProblemSize size;
  std::int64_t area = 0;
  Timing lowering;
  std::int64_t plan_bytes = 0;
  Timing forward;
  Timing backward;  ///< only with `Passes::forward_and_backward`
  Variants variants;
  std::vector<TensorError> errors;  ///< only if verified

  bool has_backward() const { return size.passes == Passes::forward_and_backward; }
  double forward_gflops() const { return 1e-9 * size.forward_flops(area) / forward.median; }
  double backward_gflops() const { return 1e-9 * size.backward_flops(area) / backward.median; }
};

ProblemSize size_of(const Mask& mask, const ShapeArguments& shape, const MeasureArguments& arguments);

Measurement measure(const Mask& mask, const ShapeArguments& shape, const ScoreArguments& score,
                    const MeasureArguments& arguments, Verify verification, Progress& progress);

}  // namespace caesura::tools
