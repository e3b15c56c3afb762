// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "kernel_support.hpp"

#include <caesura/attention.hpp>
#include <caesura/kernels.hpp>

#include <optional>

namespace caesura::tools {

namespace {

struct Feature {
  std::string name;
  AttentionShape shape;
};

AttentionShape small_shape(ScalarType type) {
  AttentionShape shape;
  shape.type = type;
  shape.total_q = 64;
  shape.total_k = 64;
  shape.heads_q = 2;
  shape.heads_kv = 2;
  shape.dim_qk = 64;
  shape.dim_v = 64;
  shape.scale = 0.125;
  return shape;
}

std::vector<Feature> types() {
  std::vector<Feature> result;
  for (const ScalarType type : {ScalarType::float64, ScalarType::float32, ScalarType::float16, ScalarType::bfloat16}) {
    result.push_back({std::string(name_of(type)), small_shape(type)});
  }
  return result;
}

/// \p buffer stands for every tensor: a kernel looks at addresses and strides, not at elements.
std::vector<Feature> features(ScalarType type, void* buffer) {
  std::vector<Feature> result;
  const auto add = [&](std::string name, const auto& change) {
    AttentionShape shape = small_shape(type);
    change(shape);
    result.push_back({std::move(name), shape});
  };
  for (const int dim : {1, 40, 128, 256, 512}) {
    add("dim " + std::to_string(dim), [&](AttentionShape& shape) { shape.dim_qk = shape.dim_v = dim; });
  }
  add("dim_qk 96 with dim_v 64", [](AttentionShape& shape) { shape.dim_qk = 96; });
  add("grouped heads", [](AttentionShape& shape) { shape.heads_kv = 1; });
  add("softcap", [](AttentionShape& shape) { shape.softcap = 30; });
  add("dropout", [](AttentionShape& shape) { shape.dropout.threshold = 1u << 30; });
  add("sink", [&](AttentionShape& shape) { shape.sink = {buffer, 1, 1, 1}; });
  return result;
}

TensorRef tensor(void* data, ScalarType type, std::int64_t heads, std::int64_t dim) {
  return {
      .data = data, .type = type, .batch_rows = 64, .batch_stride = 0, .row_stride = heads * dim, .head_stride = dim};
}

}  // namespace

template <ExecutionSpace Some>
std::vector<KernelSupport> kernel_support() {
  const Some space;
  const AttentionPlan<Some> plan(space, Mask::from_documents(Documents::from_lengths({64})));
  // 64 rows of two heads of 512 doubles are the largest tensor.
  Kokkos::View<double*, typename Some::memory_space> buffer("caesura::tools::probe", 64 * 2 * 512);
  void* data = buffer.data();
  std::vector<KernelSupport> result;
  for (const Kernel<Some>& kernel : kernels<Some>()) {
    KernelSupport support = {std::string(kernel.name), std::string(kernel.description), kernel.priority, {}, {}};
    // False if the forward is refused.
    const auto ask = [&](const Feature& feature) {
      const auto& [name, shape] = feature;
      const ScalarType sums = accumulator_of(shape.type);
      const TensorRef q = tensor(data, shape.type, shape.heads_q, shape.dim_qk);
      const TensorRef k = tensor(data, shape.type, shape.heads_kv, shape.dim_qk);
      const TensorRef v = tensor(data, shape.type, shape.heads_kv, shape.dim_v);
      const TensorRef out = tensor(data, shape.type, shape.heads_q, shape.dim_v);
      const TensorRef lse = tensor(data, sums, shape.heads_q, 1);
      ForwardProblem forward;
      forward.shape = shape;
      forward.rows = plan.rows();
      forward.q = q;
      forward.k = k;
      forward.v = v;
      forward.out = out;
      forward.lse = lse;
      BackwardProblem backward;
      backward.shape = shape;
      backward.rows = plan.rows();
      backward.columns = plan.columns();
      backward.dout = backward.out = out;
      backward.q = backward.dq = q;
      backward.k = backward.dk = k;
      backward.v = backward.dv = v;
      backward.lse = lse;
      backward.workspace = data;
      const std::string no_forward(kernel.refuses_forward(forward));
      const std::string no_backward(kernel.refuses_backward(backward));
      if (no_forward.empty() && no_backward.empty())
        support.supports.push_back(name);
      else if (no_forward.empty())
        support.refuses.emplace_back(name + " backward", no_backward);
      else
        support.refuses.emplace_back(name, no_forward);
      return no_forward.empty();
    };
    std::optional<ScalarType> type;  // that it does, float rather than another
    for (const Feature& feature : types()) {
      if (ask(feature) && (!type || feature.shape.type == ScalarType::float32)) type = feature.shape.type;
    }
    if (type) {
      for (const Feature& feature : features(*type, data)) ask(feature);
    }
    result.push_back(std::move(support));
  }
  return result;
}

#define CAESURA_TOOLS_INSTANTIATE(Some) template std::vector<KernelSupport> kernel_support<Some>();
CAESURA_FOR_EACH_SPACE(CAESURA_TOOLS_INSTANTIATE)
#undef CAESURA_TOOLS_INSTANTIATE

}  // namespace caesura::tools
