// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "problem_size.hpp"
#include <caesura/attention.hpp>

#include <Kokkos_Core.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace caesura::tools {

using Space = Kokkos::DefaultExecutionSpace;

/// The tensors of one forward and backward in the memory of the default execution space.
template <AttentionScalar Scalar>
struct Tensors {
  using Accumulator = accumulator_t<Scalar>;
  using Rows = Kokkos::View<Scalar***, Kokkos::LayoutRight, Space::memory_space>;
  using Sums = Kokkos::View<Accumulator**, Kokkos::LayoutRight, Space::memory_space>;

  Rows q, k, v, out;
  Sums lse;
  Sums sink;  ///< only if there are sinks
  // Only for the backward.
  Rows dout, dq, dk, dv;
  Sums dsink;
  Kokkos::View<std::byte*, Space::memory_space> workspace;

  explicit Tensors(const ProblemSize& size);
};

/// Independent standard normal numbers in every element; the same for a seed, whatever the threads and the layout.
/// `stream` tells the tensors of one seed apart.
template <AttentionScalar Scalar>
void fill_normal(const Space& space, const typename Tensors<Scalar>::Rows& rows, std::int64_t seed,
                 std::int64_t stream);

/// The options of both passes, with the tensors' sink, dsink and workspace in them.
template <AttentionScalar Scalar>
AttentionOptions with_tensors(AttentionOptions options, const Tensors<Scalar>& tensors);

template <AttentionScalar Scalar>
void run_forward(const Space& space, const AttentionPlan<Space>& plan, const Tensors<Scalar>& tensors,
                 const AttentionOptions& options);
template <AttentionScalar Scalar>
void run_backward(const Space& space, const AttentionPlan<Space>& plan, const Tensors<Scalar>& tensors,
                  const AttentionOptions& options);

/// The names of the kernels that the forward and the backward of these sizes take.
struct Variants {
  std::string forward;
  std::string backward;  ///< empty without one
};
template <AttentionScalar Scalar>
Variants variants(const AttentionPlan<Space>& plan, const Tensors<Scalar>& tensors, const ProblemSize& size,
                  const AttentionOptions& options);

/// Calls `work.template operator()<Scalar>()` for the type.
template <class Work>
decltype(auto) with_scalar(ScalarType type, Work&& work) {
  switch (type) {
    case ScalarType::float64: return work.template operator()<double>();
    case ScalarType::float16: return work.template operator()<half>();
    case ScalarType::bfloat16: return work.template operator()<bfloat16>();
    default: return work.template operator()<float>();
  }
}

}  // namespace caesura::tools
