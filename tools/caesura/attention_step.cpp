// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "attention_step.hpp"

#include <caesura/kernels.hpp>

#include <cmath>

namespace caesura::tools {

namespace {

template <class View>
View allocate(const char* label, std::int64_t rows, std::int64_t heads, std::int64_t dim) {
  return View(Kokkos::view_alloc(std::string(label), Kokkos::WithoutInitializing), static_cast<std::size_t>(rows),
              static_cast<std::size_t>(heads), static_cast<std::size_t>(dim));
}

template <class View>
View allocate(const char* label, std::int64_t rows, std::int64_t columns) {
  return View(Kokkos::view_alloc(std::string(label), Kokkos::WithoutInitializing), static_cast<std::size_t>(rows),
              static_cast<std::size_t>(columns));
}

/// SplitMix64, Steele et al. 2014: a good hash of a counter.
KOKKOS_INLINE_FUNCTION std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Two independent normal numbers from every counter, by Box and Muller.
template <class Scalar>
struct FillNormal {
  Scalar* values;
  std::int64_t size;
  std::uint64_t key;

  KOKKOS_FUNCTION void operator()(std::int64_t pair) const {
    const std::uint64_t bits = mix(key ^ mix(static_cast<std::uint64_t>(pair)));
    const double u = (static_cast<double>(bits >> 32) + 0.5) * 0x1p-32;
    const double angle = static_cast<double>(bits & 0xffffffffu) * (0x1p-32 * 6.283185307179586);
    const double radius = Kokkos::sqrt(-2 * Kokkos::log(u));
    store(2 * pair, radius * Kokkos::cos(angle));
    if (2 * pair + 1 < size) store(2 * pair + 1, radius * Kokkos::sin(angle));
  }

  KOKKOS_FUNCTION void store(std::int64_t i, double value) const {
    if constexpr (sizeof(Scalar) == 2) {
      values[i] = Scalar(static_cast<float>(value));
    } else {
      values[i] = static_cast<Scalar>(value);
    }
  }
};

template <class View>
TensorRef tensor_ref(const View& view, ScalarType type) {
  return {.data = const_cast<typename View::non_const_value_type*>(view.data()),
          .type = type,
          .batch_rows = view.extent(0) > 0 ? static_cast<std::int64_t>(view.extent(0)) : 1,
          .batch_stride = 0,
          .row_stride = static_cast<std::int64_t>(view.stride(0)),
          .head_stride = static_cast<std::int64_t>(view.stride(1))};
}

}  // namespace

template <AttentionScalar Scalar>
Tensors<Scalar>::Tensors(const ProblemSize& size)
    : q(allocate<Rows>("q", size.total_q, size.heads_q, size.dim_qk)),
      k(allocate<Rows>("k", size.total_k, size.heads_kv, size.dim_qk)),
      v(allocate<Rows>("v", size.total_k, size.heads_kv, size.dim_v)),
      out(allocate<Rows>("out", size.total_q, size.heads_q, size.dim_v)),
      lse(allocate<Sums>("lse", size.total_q, size.heads_q)) {
  if (size.sinks > 0) sink = allocate<Sums>("sink", size.heads_q, size.sinks);
  if (size.passes == Passes::forward) return;
  dout = allocate<Rows>("dout", size.total_q, size.heads_q, size.dim_v);
  dq = allocate<Rows>("dq", size.total_q, size.heads_q, size.dim_qk);
  dk = allocate<Rows>("dk", size.total_k, size.heads_kv, size.dim_qk);
  dv = allocate<Rows>("dv", size.total_k, size.heads_kv, size.dim_v);
  if (size.sinks > 0) dsink = allocate<Sums>("dsink", size.heads_q, size.sinks);
  workspace = decltype(workspace)(Kokkos::view_alloc("workspace", Kokkos::WithoutInitializing),
                                  static_cast<std::size_t>(size.workspace_bytes()));
}

template <AttentionScalar Scalar>
void fill_normal(const Space& space, const typename Tensors<Scalar>::Rows& rows, std::int64_t seed,
                 std::int64_t stream) {
  const auto size = static_cast<std::int64_t>(rows.size());
  const std::uint64_t key = mix(static_cast<std::uint64_t>(seed)) + static_cast<std::uint64_t>(stream);
  Kokkos::parallel_for("caesura::tools::fill_normal",
                       Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, (size + 1) / 2),
                       FillNormal<Scalar>{rows.data(), size, mix(key)});
}

template <AttentionScalar Scalar>
AttentionOptions with_tensors(AttentionOptions options, const Tensors<Scalar>& tensors) {
  if (tensors.sink.size() > 0) options.sink = tensors.sink;
  if (tensors.dsink.size() > 0) options.dsink = tensors.dsink;
  if (tensors.workspace.size() > 0) options.workspace = tensors.workspace;
  return options;
}

template <AttentionScalar Scalar>
void run_forward(const Space& space, const AttentionPlan<Space>& plan, const Tensors<Scalar>& tensors,
                 const AttentionOptions& options) {
  AttentionOptions forward = with_tensors(options, tensors);
  forward.dsink = {};
  attention_forward(space, plan, tensors.q, tensors.k, tensors.v, tensors.out, tensors.lse, forward);
}

template <AttentionScalar Scalar>
void run_backward(const Space& space, const AttentionPlan<Space>& plan, const Tensors<Scalar>& tensors,
                  const AttentionOptions& options) {
  attention_backward(space, plan, tensors.dout, tensors.q, tensors.k, tensors.v, tensors.out, tensors.lse, tensors.dq,
                     tensors.dk, tensors.dv, with_tensors(options, tensors));
}

template <AttentionScalar Scalar>
Variants variants(const AttentionPlan<Space>& plan, const Tensors<Scalar>& tensors, const ProblemSize& size,
                  const AttentionOptions& options) {
  constexpr ScalarType type = scalar_type_v<Scalar>;
  constexpr ScalarType sums = accumulator_of(type);
  AttentionShape shape = {.type = type,
                          .total_q = size.total_q,
                          .total_k = size.total_k,
                          .heads_q = static_cast<std::int32_t>(size.heads_q),
                          .heads_kv = static_cast<std::int32_t>(size.heads_kv),
                          .dim_qk = static_cast<std::int32_t>(size.dim_qk),
                          .dim_v = static_cast<std::int32_t>(size.dim_v),
                          .scale = options.softmax_scale.value_or(1 / std::sqrt(static_cast<double>(size.dim_qk))),
                          .softcap = options.softcap,
                          .dropout = {},
                          .sink = {}};
  if (options.dropout.probability > 0) {
    shape.dropout.threshold = static_cast<std::uint32_t>(options.dropout.probability * 0x1p32);
  }
  if (size.sinks > 0) shape.sink = {tensors.sink.data(), static_cast<std::int32_t>(size.sinks), size.sinks, 1};
  const TensorRef q = tensor_ref(tensors.q, type);
  const TensorRef k = tensor_ref(tensors.k, type);
  const TensorRef v = tensor_ref(tensors.v, type);
  const TensorRef out = tensor_ref(tensors.out, type);
  const TensorRef lse = tensor_ref(tensors.lse, sums);
  const ForwardProblem forward = {
      .shape = shape, .rows = plan.rows(), .q = q, .k = k, .v = v, .out = out, .lse = lse, .row_max = {}};
  Variants result = {.forward = std::string(select_kernel<Space>(forward, options.variant).name), .backward = {}};
  if (size.passes == Passes::forward) return result;
  BackwardProblem backward = {};
  backward.shape = shape;
  backward.rows = plan.rows();
  backward.columns = plan.columns();
  backward.q = q;
  backward.k = k;
  backward.v = v;
  backward.out = out;
  backward.lse = lse;
  backward.dout = tensor_ref(tensors.dout, type);
  backward.dq = tensor_ref(tensors.dq, type);
  backward.dk = tensor_ref(tensors.dk, type);
  backward.dv = tensor_ref(tensors.dv, type);
  backward.workspace = const_cast<std::byte*>(tensors.workspace.data());
  result.backward = select_kernel<Space>(backward, options.variant).name;
  return result;
}

#define CAESURA_TOOLS_INSTANTIATE(Scalar)                                                                     \
  template struct Tensors<Scalar>;                                                                            \
  template void fill_normal<Scalar>(const Space&, const Tensors<Scalar>::Rows&, std::int64_t, std::int64_t);  \
  template AttentionOptions with_tensors<Scalar>(AttentionOptions, const Tensors<Scalar>&);                   \
  template void run_forward<Scalar>(const Space&, const AttentionPlan<Space>&, const Tensors<Scalar>&,        \
                                    const AttentionOptions&);                                                 \
  template void run_backward<Scalar>(const Space&, const AttentionPlan<Space>&, const Tensors<Scalar>&,       \
                                     const AttentionOptions&);                                                \
  template Variants variants<Scalar>(const AttentionPlan<Space>&, const Tensors<Scalar>&, const ProblemSize&, \
                                     const AttentionOptions&);
CAESURA_TOOLS_INSTANTIATE(double)
CAESURA_TOOLS_INSTANTIATE(float)
CAESURA_TOOLS_INSTANTIATE(half)
CAESURA_TOOLS_INSTANTIATE(bfloat16)
#undef CAESURA_TOOLS_INSTANTIATE

}  // namespace caesura::tools
