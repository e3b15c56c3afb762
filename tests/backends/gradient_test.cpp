// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <support/attention_case.hpp>

#include <gtest/gtest.h>

#include <array>

namespace caesura::testing {
namespace {

/// The loss whose gradients the backward gives.
double loss(const reference::Tensor& out, const reference::Tensor& dout) {
  double sum = 0;
  for (std::size_t i = 0; i < out.values.size(); ++i) sum += out.values[i] * dout.values[i];
  return sum;
}

double kernel_loss(const Problem& problem, const AttentionPlan<Space>& plan, const std::string& variant) {
  DeviceCase<double> device(problem);
  device.options.variant = variant;
  device.forward(Space(), plan);
  Space().fence();
  return loss(device.out.download(), problem.dout);
}

/// Fourth-order central differences of \p function at each of some elements of \p x.
template <class Function>
void expect_gradient(const char* name, reference::Tensor& x, const reference::Tensor& gradient,
                     const Function& function) {
  constexpr double h = 1e-2;
  // Every 7th element, from another start in each row length, is enough to meet all rows and lanes.
  for (std::size_t i = 0; i < x.values.size(); i += 7) {
    const double at = x.values[i];
    const auto moved = [&](double step) {
      x.values[i] = at + step * h;
      const double value = function();
      x.values[i] = at;
      return value;
    };
    const double difference = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * h);
    ASSERT_NEAR(gradient.values[i], difference, 1e-7) << name << " element " << i;
  }
}

class Gradient : public ::testing::TestWithParam<int> {};

TEST_P(Gradient, AgreesWithFiniteDifferences) {
  const Documents cross =
      Documents::from_lengths(std::vector<std::int64_t>{6, 0, 9, 4}, std::vector<std::int64_t>{8, 3, 5, 4});
  const std::array<DocumentMask, 4> rules = {
      {{}, {.kind = MaskKind::full, .chunk = 3}, {.window = {2, 0}, .prefix = 1}, {.kind = MaskKind::inverse_causal}}};
  Problem problem(Mask::from_documents(cross, rules[static_cast<std::size_t>(GetParam() % 4)]), {4, 2, 5, 3}, 31);
  if (GetParam() & 1) problem.add_sink(2, 32);
  if (GetParam() & 2) problem.options.softcap = 1.5;
  if (GetParam() & 4) problem.options.dropout = {0.3, 33, 34};
  const AttentionPlan<Space> plan(Space(), problem.mask);
  for (const std::string& name : kernel_names()) {
    SCOPED_TRACE(text(name, ", ", describe(problem)));
    DeviceCase<double> device(problem);
    device.options.variant = name;
    device.forward(Space(), plan);
    device.backward(Space(), plan);
    Space().fence();
    const Results got = device.download();
    const auto function = [&] { return kernel_loss(problem, plan, name); };
    expect_gradient("dq", problem.q, got.dq, function);
    expect_gradient("dk", problem.k, got.dk, function);
    expect_gradient("dv", problem.v, got.dv, function);
    if (problem.has_sink()) expect_gradient("dsink", problem.options.sink, got.dsink, function);
  }
}

TEST_P(Gradient, OfTheReferenceAgreesWithFiniteDifferences) {
  Problem problem(Mask::from_documents(Documents::from_lengths({5, 7})), {4, 2, 5, 3}, 35);
  if (GetParam() & 1) problem.add_sink(2, 36);
  if (GetParam() & 2) problem.options.softcap = 1.5;
  if (GetParam() & 4) problem.options.dropout = {0.3, 37, 38};
  const Results got = expected_results(problem);
  const auto function = [&] {
    return loss(reference::forward(problem.mask, problem.q, problem.k, problem.v, problem.options).out, problem.dout);
  };
  expect_gradient("dq", problem.q, got.dq, function);
  expect_gradient("dk", problem.k, got.dk, function);
  expect_gradient("dv", problem.v, got.dv, function);
  if (problem.has_sink()) expect_gradient("dsink", problem.options.sink, got.dsink, function);
}

INSTANTIATE_TEST_SUITE_P(Options, Gradient, ::testing::Range(0, 8));

}  // namespace
}  // namespace caesura::testing
