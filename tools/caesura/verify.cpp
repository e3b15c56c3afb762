// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "verify.hpp"

#include <caesura/error.hpp>
#include <reference/reference.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace caesura::tools {

namespace {

using reference::Tensor;

template <class View>
Tensor to_reference(const View& view) {
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), view);
  Tensor tensor;
  tensor.rows = static_cast<std::int64_t>(view.extent(0));
  tensor.heads = static_cast<std::int64_t>(view.extent(1));
  tensor.dim = View::rank() == 3 ? static_cast<std::int64_t>(view.extent(2)) : 1;
  tensor.values.resize(view.size());
  for (std::size_t i = 0; i < view.size(); ++i) tensor.values[i] = static_cast<double>(host.data()[i]);
  return tensor;
}

void add(Tensor& sum, const Tensor& part) {
  if (sum.values.empty())
    sum = part;
  else
    std::transform(part.values.begin(), part.values.end(), sum.values.begin(), sum.values.begin(), std::plus<>());
}

struct Expected {
  reference::Forward forward;
  reference::Backward backward;
};

/// The reference, some queries at a time: it takes long enough to say how far it is.
Expected expect(const Mask& mask, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor* dout,
                const reference::Options& options, Progress& progress) {
  constexpr double work_per_part = 2e9;
  const double work =
      static_cast<double>(mask.area()) * static_cast<double>(q.heads * (q.dim + v.dim) * (dout != nullptr ? 4 : 1));
  const auto parts = static_cast<std::int64_t>(std::clamp(work / work_per_part, 1.0, 64.0));
  const Range all_keys = {0, mask.total_k()};
  Expected expected;
  std::int64_t done = 0;
  const std::int64_t area = std::max<std::int64_t>(mask.area(), 1);
  for (std::int64_t part = 0; part < parts; ++part) {
    const Range queries = {mask.total_q() * part / parts, mask.total_q() * (part + 1) / parts};
    const Mask some = mask.restricted(queries, all_keys);
    progress.show(text("verifying: ", 100 * done / area, " %"));
    const reference::Forward forward = reference::forward(some, q, k, v, options);
    if (part == 0) {
      expected.forward = forward;
    } else {
      const auto copy_rows = [&](const Tensor& from, Tensor& to) {
        const std::int64_t row = from.heads * from.dim;
        std::copy(from.values.begin() + queries.begin * row, from.values.begin() + queries.end * row,
                  to.values.begin() + queries.begin * row);
      };
      copy_rows(forward.out, expected.forward.out);
      copy_rows(forward.lse, expected.forward.lse);
    }
    if (dout != nullptr) {
      // Queries of other parts see nothing here and add exact zeros.
      const reference::Backward backward = reference::backward(some, q, k, v, *dout, options);
      add(expected.backward.dq, backward.dq);
      add(expected.backward.dk, backward.dk);
      add(expected.backward.dv, backward.dv);
      add(expected.backward.dsink, backward.dsink);
    }
    done += some.area();
  }
  progress.clear();
  return expected;
}

double unit_roundoff(ScalarType type) {
  constexpr double roundoff[] = {0x1p-53, 0x1p-24, 0x1p-11, 0x1p-8};
  return roundoff[static_cast<int>(type)];
}

/// The rounding of the result and of what the kernels keep in 16 bits comes on top of that of float sums; those
/// lose a few bits in long rows.
double allowance(ScalarType type) {
  const double sums = 256 * unit_roundoff(accumulator_of(type));
  return bytes_of(type) == 2 ? 8 * unit_roundoff(type) + sums : sums;
}

double root_mean_square(const Tensor& tensor) {
  double sum = 0;
  for (const double value : tensor.values) sum += value * value;
  return tensor.values.empty() ? 0 : std::sqrt(sum / static_cast<double>(tensor.values.size()));
}

TensorError compare(const std::string& name, const Tensor& computed, const Tensor& expected, double allowance_of_type,
                    double term) {
  TensorError result = {.name = name};
  double largest = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < computed.values.size(); ++i) {
    const double x = computed.values[i];
    const double y = expected.values[i];
    if (std::isfinite(y)) largest = std::max(largest, std::abs(y));
    if (x == y || std::isnan(result.max_error)) continue;  // also two equal infinities
    const double error =
        std::isfinite(x) && std::isfinite(y) ? std::abs(x - y) : std::numeric_limits<double>::quiet_NaN();
    if (!(error <= result.max_error)) {
      result.max_error = error;
      at = i;
    }
  }
  result.allowed = allowance_of_type * std::max(largest, term);
  const auto position = static_cast<std::int64_t>(at);
  result.element = position % computed.dim;
  result.head = position / computed.dim % computed.heads;
  result.row = position / (computed.dim * computed.heads);
  return result;
}

}  // namespace

template <AttentionScalar Scalar>
std::vector<TensorError> verify(const Mask& mask, const Tensors<Scalar>& tensors, const ProblemSize& size,
                                const AttentionOptions& options, Progress& progress) {
  const bool backward = size.passes == Passes::forward_and_backward;
  const Tensor q = to_reference(tensors.q);
  const Tensor k = to_reference(tensors.k);
  const Tensor v = to_reference(tensors.v);
  const Tensor dout = backward ? to_reference(tensors.dout) : Tensor();
  const double scale = options.softmax_scale.value_or(1 / std::sqrt(static_cast<double>(size.dim_qk)));
  const reference::Options reference_options = {.scale = scale,
                                                .softcap = options.softcap,
                                                .dropout = options.dropout,
                                                .sink = size.sinks > 0 ? to_reference(tensors.sink) : Tensor()};
  const Expected expected = expect(mask, q, k, v, backward ? &dout : nullptr, reference_options, progress);

  const double rounding = allowance(size.type);
  const double of_sums = allowance(accumulator_of(size.type));
  const double keep = 1 / (1 - options.dropout.probability);
  const double value = keep * root_mean_square(v);
  std::vector<TensorError> errors;
  errors.push_back(compare("out", to_reference(tensors.out), expected.forward.out, rounding, value));
  // A logit is a sum of dim_qk products of its own size.
  const double logit =
      std::abs(scale) * root_mean_square(q) * root_mean_square(k) * std::sqrt(static_cast<double>(size.dim_qk));
  errors.push_back(compare("lse", to_reference(tensors.lse), expected.forward.lse, of_sums, std::max(1.0, logit)));
  if (!backward) return errors;
  const double gradient = root_mean_square(dout);
  const double dlogit = std::abs(scale) * gradient * value * std::sqrt(static_cast<double>(size.dim_v));
  errors.push_back(
      compare("dq", to_reference(tensors.dq), expected.backward.dq, rounding, dlogit * root_mean_square(k)));
  errors.push_back(
      compare("dk", to_reference(tensors.dk), expected.backward.dk, rounding, dlogit * root_mean_square(q)));
  errors.push_back(compare("dv", to_reference(tensors.dv), expected.backward.dv, rounding, keep * gradient));
  if (size.sinks > 0) {
    errors.push_back(compare("dsink", to_reference(tensors.dsink), expected.backward.dsink, rounding,
                             gradient * value * std::sqrt(static_cast<double>(size.dim_v))));
  }
  return errors;
}

template std::vector<TensorError> verify<double>(const Mask&, const Tensors<double>&, const ProblemSize&,
                                                 const AttentionOptions&, Progress&);
template std::vector<TensorError> verify<float>(const Mask&, const Tensors<float>&, const ProblemSize&,
                                                const AttentionOptions&, Progress&);
template std::vector<TensorError> verify<half>(const Mask&, const Tensors<half>&, const ProblemSize&,
                                               const AttentionOptions&, Progress&);
template std::vector<TensorError> verify<bfloat16>(const Mask&, const Tensors<bfloat16>&, const ProblemSize&,
                                                   const AttentionOptions&, Progress&);

}  // namespace caesura::tools
