// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "perf/gpu/stopwatch.hpp"
#include <caesura/attention.hpp>
#include <caesura/error.hpp>
#include <caesura/kernels.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <istream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace caesura::perf {

using Space = Kokkos::DefaultExecutionSpace;

struct StepShape {
  std::string scalar;
  std::string kernel;  ///< empty: the one callers get
  std::vector<std::int64_t> lengths;
  DocumentMask rule = {};
  int heads_q = 1, heads_kv = 1, dim = 1;
  AttentionOptions options = {};
};

/// "half - causal 32 8 128 16384 34x8192", see attention_steps.cpp.
inline StepShape read_shape(std::istream& words) {
  StepShape shape;
  std::string rule;
  words >> shape.scalar >> shape.kernel >> rule >> shape.heads_q >> shape.heads_kv >> shape.dim;
  require(!words.fail(),
          [] { return std::string("case: needs scalar, kernel, rule, heads_q, heads_kv, dim, lengths"); });
  require(rule == "causal" || rule == "full", [&] { return text("case: rule = ", rule, ": must be causal or full"); });
  if (shape.kernel == "-") shape.kernel.clear();
  shape.rule.kind = rule == "causal" ? MaskKind::causal : MaskKind::full;
  for (std::string word; words >> word;) {
    const std::size_t times = word.find('x');
    const std::int64_t count = times == std::string::npos ? 1 : std::stoll(word.substr(times + 1));
    shape.lengths.insert(shape.lengths.end(), static_cast<std::size_t>(count), std::stoll(word));
  }
  require(!shape.lengths.empty(), [] { return std::string("case: no document lengths"); });
  return shape;
}

struct Difference {
  std::string tensor;
  double relative = 0;  ///< |a - b| / |b|
};

/// A step whose scalar is known at run time alone.
class AnyStep {
 public:
  virtual ~AnyStep() = default;
  virtual void forward() const = 0;
  virtual void backward(SumOrder order) const = 0;
  virtual std::int64_t area() const = 0;
  virtual std::int64_t tokens() const = 0;
  virtual std::string kernel_forward() const = 0;
  virtual std::string kernel_backward() const = 0;
  virtual std::vector<Difference> differences_from(const std::string& kernel) const = 0;
  const Space& space() const { return space_; }

 private:
  Space space_;
};

template <class Scalar>
using StepTensor = Kokkos::View<Scalar***, Kokkos::LayoutRight, Space>;

/// Normally distributed numbers from a hash of the index: zeros would run faster than real numbers do.
template <class Scalar>
struct FillNormal {
  Kokkos::View<Scalar*, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>> values;
  std::uint64_t seed;

  KOKKOS_FUNCTION static std::uint64_t mix(std::uint64_t x) {  // SplitMix64, Steele et al. 2014
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const std::uint64_t bits = mix(seed + static_cast<std::uint64_t>(i));
    const float u = (static_cast<float>(bits >> 40) + 0.5f) * 0x1p-24f;
    const float angle = static_cast<float>(bits & 0xffffff) * (6.2831853f * 0x1p-24f);
    values(i) = Scalar(Kokkos::sqrt(-2 * Kokkos::log(u)) * Kokkos::cos(angle));  // Box-Muller
  }
};

template <class Scalar>
StepTensor<Scalar> normal_tensor(const Space& space, const char* label, std::int64_t rows, int heads, int dim,
                                 std::uint64_t seed) {
  const StepTensor<Scalar> tensor(Kokkos::view_alloc(space, std::string(label), Kokkos::WithoutInitializing),
                                  static_cast<std::size_t>(rows), static_cast<std::size_t>(heads),
                                  static_cast<std::size_t>(dim));
  Kokkos::parallel_for(
      "caesura::perf::fill",
      Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, static_cast<std::int64_t>(tensor.size())),
      FillNormal<Scalar>{{tensor.data(), tensor.size()}, seed << 40});
  return tensor;
}

template <class Scalar>
struct SquareOfDifference {
  const Scalar* a;
  const Scalar* b;
  bool has_reference;

  KOKKOS_FUNCTION void operator()(std::int64_t i, double& sum) const {
    const double reference = static_cast<float>(b[i]);
    const double value = has_reference ? static_cast<float>(a[i]) - reference : reference;
    sum += value * value;
  }
};

template <class Scalar>
double relative_difference(const Space& space, const StepTensor<Scalar>& a, const StepTensor<Scalar>& b) {
  const Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>> all(space, 0, static_cast<std::int64_t>(b.size()));
  double difference = 0, norm = 0;
  Kokkos::parallel_reduce("caesura::perf::difference", all, SquareOfDifference<Scalar>{a.data(), b.data(), true},
                          difference);
  Kokkos::parallel_reduce("caesura::perf::norm", all, SquareOfDifference<Scalar>{a.data(), b.data(), false}, norm);
  space.fence();
  return Kokkos::sqrt(difference) / Kokkos::sqrt(norm);
}

/// Everything that a forward and a backward need.
template <class Scalar>
class Step final : public AnyStep {
 public:
  explicit Step(const StepShape& shape)
      : shape_(shape),
        mask_(Mask::from_documents(Documents::from_lengths(shape.lengths), shape.rule)),
        plan_(space(), mask_),
        q_(normal_tensor<Scalar>(space(), "q", mask_.total_q(), shape.heads_q, shape.dim, 1)),
        k_(normal_tensor<Scalar>(space(), "k", mask_.total_k(), shape.heads_kv, shape.dim, 2)),
        v_(normal_tensor<Scalar>(space(), "v", mask_.total_k(), shape.heads_kv, shape.dim, 3)),
        dout_(normal_tensor<Scalar>(space(), "dout", mask_.total_q(), shape.heads_q, shape.dim, 4)),
        workspace_("workspace", static_cast<std::size_t>(backward_workspace_bytes(
                                    mask_.total_q(), shape.heads_q, shape.dim, scalar_type_v<Scalar>, SumOrder::any))),
        results_(*this) {
    shape_.options.workspace = workspace_;
    shape_.options.variant = shape.kernel;
    run_forward(results_, shape_.options);  // the backward may be asked for first
    space().fence();
  }

  void forward() const override { run_forward(results_, shape_.options); }
  void backward(SumOrder order) const override {
    AttentionOptions options = shape_.options;
    options.sums = order;
    run_backward(results_, options);
  }
  std::int64_t area() const override { return mask_.area(); }
  std::int64_t tokens() const override { return mask_.total_q(); }
  std::string kernel_forward() const override { return kernel_of(ForwardProblem()); }
  std::string kernel_backward() const override { return kernel_of(BackwardProblem()); }

  std::vector<Difference> differences_from(const std::string& kernel) const override {
    AttentionOptions options = shape_.options;
    options.variant = kernel;
    const Results other(*this);
    run_forward(other, options);
    run_backward(other, options);
    std::vector<Difference> differences;
    const auto add = [&](const char* name, const StepTensor<Scalar>& a, const StepTensor<Scalar>& b) {
      differences.push_back({name, relative_difference(space(), a, b)});
    };
    forward();
    backward(SumOrder::any);
    add("dq any order", results_.dq, other.dq);
    backward(SumOrder::fixed);
    add("out", results_.out, other.out);
    add("dq", results_.dq, other.dq);
    add("dk", results_.dk, other.dk);
    add("dv", results_.dv, other.dv);
    return differences;
  }

 private:
  struct Results {
    StepTensor<Scalar> out, dq, dk, dv;
    Kokkos::View<accumulator_t<Scalar>**, Kokkos::LayoutRight, Space> lse;

    explicit Results(const Step& step)
        : out("out", step.q_.extent(0), step.q_.extent(1), step.v_.extent(2)),
          dq("dq", step.q_.extent(0), step.q_.extent(1), step.q_.extent(2)),
          dk("dk", step.k_.extent(0), step.k_.extent(1), step.k_.extent(2)),
          dv("dv", step.v_.extent(0), step.v_.extent(1), step.v_.extent(2)),
          lse("lse", step.q_.extent(0), step.q_.extent(1)) {}
  };

  void run_forward(const Results& to, const AttentionOptions& options) const {
    attention_forward(space(), plan_, q_, k_, v_, to.out, to.lse, options);
  }
  void run_backward(const Results& to, const AttentionOptions& options) const {
    attention_backward(space(), plan_, dout_, q_, k_, v_, to.out, to.lse, to.dq, to.dk, to.dv, options);
  }

  template <class Problem>
  std::string kernel_of(Problem problem) const {
    problem.shape.type = scalar_type_v<Scalar>;
    problem.shape.heads_q = shape_.heads_q;
    problem.shape.heads_kv = shape_.heads_kv;
    problem.shape.dim_qk = problem.shape.dim_v = shape_.dim;
    return std::string(select_kernel<Space>(problem, shape_.kernel).name);
  }

  StepShape shape_;
  Mask mask_;
  AttentionPlan<Space> plan_;
  StepTensor<Scalar> q_, k_, v_, dout_;
  Kokkos::View<std::byte*, Space> workspace_;
  Results results_;
};

inline std::unique_ptr<AnyStep> make_step(const StepShape& shape) {
  if (shape.scalar == "half") return std::make_unique<Step<half>>(shape);
  if (shape.scalar == "bfloat16") return std::make_unique<Step<bfloat16>>(shape);
  throw Error(ErrorKind::invalid_argument, text("case: scalar = ", shape.scalar, ": must be half or bfloat16"));
}

}  // namespace caesura::perf
