// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "perf/gpu/step.hpp"

namespace caesura::perf {

/// Problems that a sanitizer gets through in seconds, and that take every path of a kernel: dims of every tile shape
/// and some between them, tiles that end in the middle, empty documents, groups of heads, a window with a prefix,
/// softcap and dropout.
inline std::vector<StepShape> small_shapes() {
  std::vector<StepShape> shapes;
  const auto add = [&](const char* scalar, int dim, DocumentMask rule, AttentionOptions options) {
    shapes.push_back({scalar, "", {150, 1, 0, 37}, rule, 2, 1, dim, std::move(options)});
  };
  for (const int dim : {32, 64, 96, 128, 192, 256, 40, 41}) add(dim == 96 ? "half" : "bfloat16", dim, {}, {});
  add("half", 64, {.kind = MaskKind::full}, {});
  add("bfloat16", 64, {.window = {20, 0}, .prefix = 3}, {});
  add("bfloat16", 128, {}, {.softcap = 5.0});
  add("half", 64, {}, {.dropout = {.probability = 0.1, .seed = 7}});
  return shapes;
}

/// Forward and backward, in both orders, of all of them with each kernel whose name begins so and that does not refuse;
/// how many there were.
inline int run_small_steps(std::string_view names) {
  int steps = 0;
  for (StepShape shape : small_shapes()) {
    for (const Kernel<Space>& kernel : kernels<Space>()) {
      if (!kernel.name.starts_with(names)) continue;
      shape.kernel = kernel.name;
      try {
        const std::unique_ptr<AnyStep> step = make_step(shape);
        step->forward();
        step->backward(SumOrder::fixed);
        step->backward(SumOrder::any);
        step->space().fence();
        ++steps;
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::unsupported) throw;
      }
    }
  }
  return steps;
}

}  // namespace caesura::perf
