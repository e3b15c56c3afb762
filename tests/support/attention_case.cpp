// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace caesura::testing {
namespace {

double epsilon_of(ScalarType type) {
  constexpr std::array<double, 4> epsilons = {0x1p-52, 0x1p-23, 0x1p-10, 0x1p-7};
  return epsilons[static_cast<std::size_t>(type)];
}

/// Half the distance of the smallest numbers.
double smallest_of(ScalarType type) { return type == ScalarType::float16 ? 0x1p-25 : 0; }

/// The largest Euclidean norm of a row; values that are not finite are left out.
double largest_norm(const reference::Tensor& tensor) {
  double largest = 0;
  for (std::int64_t r = 0; r < tensor.rows; ++r) {
    for (std::int64_t h = 0; h < tensor.heads; ++h) {
      double square = 0;
      for (std::int64_t i = 0; i < tensor.dim; ++i) square += tensor(r, h, i) * tensor(r, h, i);
      if (std::isfinite(square)) largest = std::max(largest, square);
    }
  }
  return std::sqrt(largest);
}

double largest_value(const reference::Tensor& tensor) {
  double largest = 0;
  for (const double x : tensor.values) largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
  return largest;
}

/// The largest norm over rows of the elementwise product.
double largest_product(const reference::Tensor& a, const reference::Tensor& b) {
  reference::Tensor product = a;
  for (std::size_t i = 0; i < product.values.size(); ++i) product.values[i] *= b.values[i];
  return largest_norm(product);
}

std::int64_t longest_row(const Mask& mask) {
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(mask.total_q()));
  for (const BandSlice& slice : mask.slices()) {
    for (std::int64_t q = slice.q_begin; q < slice.q_end; ++q)
      lengths[static_cast<std::size_t>(q)] += slice.keys_of(q).size();
  }
  return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
}

/// Of the kernel of that name, or of the one that is taken.
bool rounds_weights(ScalarType type, std::string_view name) {
  ForwardProblem problem;
  problem.shape.type = type;
  return select_kernel<Space>(problem, name).rounds_weights;
}

}  // namespace

std::string describe(const Problem& p) {
  std::string result =
      text(p.mask.total_q(), " x ", p.mask.total_k(), " tokens, heads ", p.shape.heads_q, '/', p.shape.heads_kv,
           ", dims ", p.shape.dim_qk, '/', p.shape.dim_v, ", scale ", p.options.scale);
  if (p.options.softcap > 0) result += text(", softcap ", p.options.softcap);
  if (p.has_sink()) result += text(", sinks ", p.options.sink.heads);
  if (p.options.dropout.probability > 0) result += text(", dropout ", p.options.dropout.probability);
  return result;
}

Mask joined(const Mask& mask) {
  const std::int64_t last = mask.total_q() - 1;
  if (last < 0 || mask.total_k() == 0 || mask.visible(last, 0)) return mask;
  std::vector<BandSlice> slices(mask.slices().begin(), mask.slices().end());
  slices.push_back(BandSlice::full({last, last + 1}, {0, 1}));
  return Mask::from_slices(mask.total_q(), mask.total_k(), slices);
}

Results expected_results(const Problem& p) {
  reference::Forward forward = reference::forward(p.mask, p.q, p.k, p.v, p.options);
  reference::Backward backward = reference::backward(p.mask, p.q, p.k, p.v, p.dout, p.options);
  return {std::move(forward.out), std::move(forward.lse), std::move(forward.row_max), std::move(backward.dq),
          std::move(backward.dk), std::move(backward.dv), std::move(backward.dsink)};
}

void expect_close(const char* name, const reference::Tensor& expected, const reference::Tensor& got,
                  Tolerance tolerance) {
  ASSERT_EQ(expected.values.size(), got.values.size()) << name;
  double worst = -1;
  std::size_t worst_at = 0, wrong = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const double e = expected.values[i], g = got.values[i];
    if (e == g || (std::isnan(e) && std::isnan(g))) continue;
    const double limit = tolerance.absolute + tolerance.relative * std::abs(e);
    const double excess = std::isfinite(e) && std::isfinite(g) ? std::abs(e - g) / limit : INFINITY;
    wrong += excess > 1;
    if (excess > worst) {
      worst = excess;
      worst_at = i;
    }
  }
  if (wrong == 0) return;
  const auto at = static_cast<std::int64_t>(worst_at);
  ADD_FAILURE() << name << ": " << wrong << " of " << expected.values.size() << " elements are wrong; worst: row "
                << at / (expected.heads * expected.dim) << ", head " << at / expected.dim % expected.heads
                << ", element " << at % expected.dim << ": " << got.values[worst_at] << ", expected "
                << expected.values[worst_at] << ": " << worst << " times the tolerance " << tolerance.absolute << " + "
                << tolerance.relative << " |x|";
}

void expect_close(const Problem& p, const Results& expected, const Results& got, ScalarType type, ScalarType out_type,
                  std::string_view kernel) {
  const double scale = std::abs(p.options.scale), keep = 1 / (1 - p.options.dropout.probability);
  const double q = largest_norm(p.q), k = largest_norm(p.k), v = largest_norm(p.v), dout = largest_norm(p.dout);
  const auto dim = static_cast<double>(std::max(p.shape.dim_qk, p.shape.dim_v));
  const double sums = std::sqrt(static_cast<double>(longest_row(p.mask)));
  const double epsilon = epsilon_of(accumulator_of(type)), out_epsilon = epsilon_of(out_type) / 2;
  const double smallest = smallest_of(out_type);

  // A logit of magnitude L has an error of a few epsilon L, which its exponential turns into a relative error.
  const double logit = scale * q * k;
  const double error = epsilon * (8 + logit * (2 + std::sqrt(dim) / 4) + sums);
  // The backward sees `out` rounded to its type, through delta = sum_i dout_i out_i: four deviations of that sum.
  const double delta_error =
      out_type == ScalarType::float64 ? 0 : 4 * out_epsilon * largest_product(p.dout, expected.out);
  const double dprobability = dout * v * keep;
  // Weights and their gradients that are rounded to the tensors' type before the second products.
  const double rounding = rounds_weights(type, kernel) ? epsilon_of(type) / 2 : 0;
  const auto gradient = [&](const reference::Tensor& tensor, double magnitude) {
    return Tolerance{1.01 * out_epsilon, 2 * error * std::max(scale * dprobability * magnitude, largest_value(tensor)) +
                                             scale * (delta_error + 4 * rounding * dprobability) * magnitude +
                                             smallest};
  };
  const auto gradient_v =
      Tolerance{1.01 * out_epsilon, 2 * error * std::max(keep * largest_value(p.dout), largest_value(expected.dv)) +
                                        8 * rounding * keep * largest_value(p.dout) + smallest};
  const auto rows = static_cast<double>(p.mask.total_q());

  expect_close("out", expected.out, got.out,
               {1.01 * out_epsilon, (2 * error + rounding) * keep * largest_value(p.v) + smallest});
  expect_close("lse", expected.lse, got.lse, {epsilon, error});
  expect_close("row_max", expected.row_max, got.row_max, {epsilon, epsilon * (1 + logit * (2 + std::sqrt(dim) / 4))});
  expect_close("dq", expected.dq, got.dq, gradient(expected.dq, largest_value(p.k)));
  // Rounding of several rows adds up in a key.
  const auto group = static_cast<double>(p.shape.heads_q / p.shape.heads_kv);
  expect_close("dk", expected.dk, got.dk, gradient(expected.dk, 2 * std::sqrt(group) * largest_value(p.q)));
  expect_close("dv", expected.dv, got.dv, gradient_v);
  if (p.has_sink()) {
    expect_close("dsink", expected.dsink, got.dsink,
                 {epsilon, 2 * error * std::max(largest_value(expected.dsink), dprobability * std::sqrt(rows)) +
                               (delta_error + rounding * dprobability) * std::sqrt(rows)});
  }
}

}  // namespace caesura::testing
