// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/attention.hpp>
#include <caesura/error.hpp>
#include <caesura/kernels.hpp>
#include <reference/reference.hpp>
#include <support/random.hpp>
#include <support/tensors.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace caesura::testing {

struct HeadShape {
  std::int64_t heads_q = 1;
  std::int64_t heads_kv = 1;
  std::int64_t dim_qk = 1;
  std::int64_t dim_v = 1;
};

/// The inputs of one attention, exact in every scalar.
struct Problem {
  Mask mask;
  HeadShape shape;
  reference::Tensor q, k, v, dout;
  reference::Options options;

  Problem(Mask mask_, HeadShape shape_, std::uint64_t seed) : mask(std::move(mask_)), shape(shape_) {
    Random random(seed);
    q = random.tensor(mask.total_q(), shape.heads_q, shape.dim_qk);
    k = random.tensor(mask.total_k(), shape.heads_kv, shape.dim_qk);
    v = random.tensor(mask.total_k(), shape.heads_kv, shape.dim_v);
    dout = random.tensor(mask.total_q(), shape.heads_q, shape.dim_v);
    options.scale = 1 / std::sqrt(static_cast<double>(shape.dim_qk));
  }

  void add_sink(std::int64_t sinks, std::uint64_t seed) { options.sink = Random(seed).tensor(shape.heads_q, sinks, 1); }
  bool has_sink() const { return options.sink.rows > 0; }
};

std::string describe(const Problem& problem);

/// What the reference says, or what a kernel made.
struct Results {
  reference::Tensor out, lse, row_max, dq, dk, dv, dsink;
};

Results expected_results(const Problem& problem);

/// Compares everything with tolerances that follow from the scalar's and the outputs' epsilon, the lengths of the
/// sums and the magnitudes of the inputs; names the worst element. \p kernel: empty for the one that calls take by
/// themselves.
void expect_close(const Problem& problem, const Results& expected, const Results& got, ScalarType type,
                  ScalarType out_type, std::string_view kernel = {});

using AllScalars = ::testing::Types<double, float, half, bfloat16>;

struct Tolerance {
  double relative = 0;
  double absolute = 0;
};
/// NaN matches NaN, an infinity itself.
void expect_close(const char* name, const reference::Tensor& expected, const reference::Tensor& got,
                  Tolerance tolerance);

/// Layouts of the inputs and of the outputs.
struct Layouts {
  Layout q = Layout::packed, kv = Layout::packed, out = Layout::packed;
};

/// The tensors of one attention on the device; outputs are poisoned.
template <AttentionScalar Scalar, AttentionScalar OutScalar = Scalar, class MemorySpace = Space::memory_space>
struct DeviceCase {
  using Accumulator = accumulator_t<Scalar>;
  using In = DeviceTensor<Scalar, MemorySpace>;
  using Out = DeviceTensor<OutScalar, MemorySpace>;
  using Statistic = DeviceTensor<Accumulator, MemorySpace>;

  In q, k, v;
  Out dout, out, dq, dk, dv;
  Statistic lse, row_max, sink, dsink;
  AttentionOptions options;

  explicit DeviceCase(const Problem& p, Layouts layouts = {}) {
    q = In::from(p.q, layouts.q);
    k = In::from(p.k, layouts.kv);
    v = In::from(p.v, layouts.kv);
    dout = Out::from(p.dout, layouts.q);
    out = Out::poisoned(p.q.rows, p.q.heads, p.v.dim, layouts.out);
    dq = Out::poisoned(p.q.rows, p.q.heads, p.q.dim, layouts.out);
    dk = Out::poisoned(p.k.rows, p.k.heads, p.k.dim, layouts.out);
    dv = Out::poisoned(p.v.rows, p.v.heads, p.v.dim, layouts.out);
    lse = Statistic::poisoned(p.q.rows, p.q.heads, 1);
    row_max = Statistic::poisoned(p.q.rows, p.q.heads, 1);
    options.softmax_scale = p.options.scale;
    options.softcap = p.options.softcap;
    options.dropout = p.options.dropout;
    options.row_max = row_max.matrix();
    if (p.has_sink()) {
      sink = Statistic::from(p.options.sink);
      dsink = Statistic::poisoned(p.options.sink.rows, p.options.sink.heads, 1);
      options.sink = sink.matrix();
      options.dsink = dsink.matrix();
    }
  }

  template <class ExecSpace>
  void forward(const ExecSpace& space, const AttentionPlan<ExecSpace>& plan) const {
    attention_forward(space, plan, q, k, v, out, lse.matrix(), options);
  }
  template <class ExecSpace>
  void backward(const ExecSpace& space, const AttentionPlan<ExecSpace>& plan) const {
    attention_backward(space, plan, dout, q, k, v, out, lse.matrix(), dq, dk, dv, options);
  }

  Results download() const {
    return {out.download(), lse.download(), row_max.download(), dq.download(),
            dk.download(),  dv.download(),  dsink.download()};
  }
  /// All results, to compare runs bit for bit.
  std::vector<std::byte> bits() const {
    std::vector<std::byte> result;
    const auto append = [&](const auto& tensor) {
      const auto bytes = tensor.bits();
      result.insert(result.end(), bytes.begin(), bytes.end());
    };
    append(out), append(lse), append(row_max), append(dq), append(dk), append(dv), append(dsink);
    return result;
  }
  bool outputs_untouched() const {
    return out.untouched() && lse.untouched() && row_max.untouched() && dq.untouched() && dk.untouched() &&
           dv.untouched() && dsink.untouched();
  }
};

/// Names of all kernels of this build for \p ExecSpace that do problems of a type and of dims up to \p dim; of them only the one that
/// CAESURA_TEST_KERNEL names, if it is set.
template <class ExecSpace = Space>
std::vector<std::string> kernel_names(ScalarType type = ScalarType::float32, std::int64_t dim = 1) {
  const char* const only = std::getenv("CAESURA_TEST_KERNEL");
  ForwardProblem problem;
  problem.shape.type = type;
  problem.shape.dim_qk = problem.shape.dim_v = static_cast<std::int32_t>(dim);
  std::vector<std::string> names;
  for (const auto& kernel : kernels<ExecSpace>()) {
    if (only && kernel.name != only) continue;
    if (kernel.refuses_forward(problem).empty()) names.emplace_back(kernel.name);
  }
  return names;
}

/// Whether `row_max` is an output: kernels that need not know the maxima may do without.
enum class Maxima : std::uint8_t { asked_for, not_asked_for };

/// Forward and backward of one scalar with every kernel, against the expected results.
template <AttentionScalar Scalar, AttentionScalar OutScalar = Scalar>
void check_kernels(const Problem& problem, const Results& expected, const AttentionPlan<Space>& plan,
                   Layouts layouts = {}, KeySteps steps = KeySteps::tight, Maxima maxima = Maxima::asked_for) {
  const Space space;
  const std::int64_t dim = std::max(problem.shape.dim_qk, problem.shape.dim_v);
  for (const std::string& name : kernel_names(scalar_type_v<Scalar>, dim)) {
    SCOPED_TRACE(text(describe(problem), ", ", name_of(scalar_type_v<Scalar>), ", kernel ", name));
    DeviceCase<Scalar, OutScalar> device(problem, layouts);
    device.options.variant = name;
    device.options.key_steps = steps;
    if (maxima == Maxima::not_asked_for) device.options.row_max = {};
    device.forward(space, plan);
    device.backward(space, plan);
    space.fence();
    Results got = device.download();
    if (maxima == Maxima::not_asked_for) got.row_max = expected.row_max;
    expect_close(problem, expected, got, scalar_type_v<Scalar>, scalar_type_v<OutScalar>, name);
    EXPECT_TRUE(device.out.untouched_around() && device.dq.untouched_around() && device.dk.untouched_around() &&
                device.dv.untouched_around())
        << "something between the rows was written";
    if (::testing::Test::HasFailure()) return;
  }
}

/// Kernels may treat short documents apart. One more pair, of the last query with the first key, makes one of them all.
Mask joined(const Mask& mask);

/// The same for all four scalars, two without row_max. Small problems also as one document, in aligned steps, so that nothing is apart: with
/// two scalars, for the sake of the tests' time.
inline void check_all_scalars(const Problem& problem, Layouts layouts = {}) {
  const Results expected = expected_results(problem);
  const AttentionPlan<Space> plan(Space(), problem.mask);
  check_kernels<double>(problem, expected, plan, layouts);
  check_kernels<float>(problem, expected, plan, layouts, KeySteps::tight, Maxima::not_asked_for);
  check_kernels<half>(problem, expected, plan, layouts);
  check_kernels<bfloat16>(problem, expected, plan, layouts, KeySteps::tight, Maxima::not_asked_for);
  if (problem.mask.total_q() > 256) return;
  Problem other = problem;
  other.mask = joined(problem.mask);
  const Results of_other = expected_results(other);
  const AttentionPlan<Space> plan_of_other(Space(), other.mask);
  check_kernels<float>(other, of_other, plan_of_other, layouts, KeySteps::aligned);
  check_kernels<bfloat16>(other, of_other, plan_of_other, layouts, KeySteps::aligned);
}

}  // namespace caesura::testing
