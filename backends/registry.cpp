// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/registry.hpp"

#include "backends/host_simd/host_simd.hpp"
#include "backends/portable/portable.hpp"
#include <caesura/error.hpp>

#include <algorithm>
#include <cstdlib>
#include <type_traits>

namespace caesura {

namespace backends {

namespace {

/// Calls \p body with a value of the scalar type.
template <class Body>
void with_scalar(ScalarType type, const Body& body) {
  switch (type) {
    case ScalarType::float64: return body(double{});
    case ScalarType::float32: return body(float{});
    case ScalarType::float16: return body(half{});
    case ScalarType::bfloat16: return body(bfloat16{});
  }
}

constexpr auto refuses_nothing = [](const auto&) { return std::string(); };

template <class Space>
Kernel<Space> portable_family() {
  return {.name = "portable",
          .description = "any Kokkos backend, any scalar, dims 1 to 512, every option; defines the meaning",
          .priority = 0,
          .refuses_forward = refuses_nothing,
          .refuses_backward = refuses_nothing,
          .forward =
              [](const Space& space, const ForwardProblem& problem) {
                with_scalar(problem.shape.type,
                            [&](auto type) { portable::forward<Space, decltype(type)>(space, problem); });
              },
          .backward =
              [](const Space& space, const BackwardProblem& problem) {
                with_scalar(problem.shape.type,
                            [&](auto type) { portable::backward<Space, decltype(type)>(space, problem); });
              }};
}

/// Listed on all hosts: who asks for it learns what it needs.
template <class Space>
Kernel<Space> host_simd_family() {
  Kernel<Space> result = {.name = "host_simd",
                          .description = "AVX2, AVX-512, NEON: packed tensors, register-blocked products",
                          .priority = 10};
#ifdef CAESURA_HAS_HOST_VECTORS
  result.refuses_forward = refuses_nothing;
  result.refuses_backward = refuses_nothing;
  result.forward = [](const Space& space, const ForwardProblem& problem) {
    with_scalar(problem.shape.type, [&](auto type) { host_simd::forward<Space, decltype(type)>(space, problem); });
  };
  result.backward = [](const Space& space, const BackwardProblem& problem) {
    with_scalar(problem.shape.type, [&](auto type) { host_simd::backward<Space, decltype(type)>(space, problem); });
  };
#else
  constexpr auto refuses = [](const auto&) {
    return std::string(
        "needs a Kokkos for the host alone, built for an architecture with vectors (-DKokkos_ARCH_NATIVE=ON)");
  };
  result.refuses_forward = refuses;
  result.refuses_backward = refuses;
#endif
  return result;
}

/// The same kernels on pairs of bfloat16, a family of its own because it rounds weights and because not every processor
/// that has the instruction is faster for it: 90 GFLOP/s against 184 of float on a Xeon of 2023 (perf/dot_peak.cpp),
/// twice the rate of float on AMD's since 2022.
template <class Space>
Kernel<Space> host_dot_family() {
  Kernel<Space> result = {
      .name = "host_dot",
      .description = "bfloat16 by the processor's dot products (AVX512-BF16), weights rounded to bfloat16",
      .priority = 5,
      .rounds_weights = true};
  constexpr auto refuses = [](const auto& problem) {
#ifdef CAESURA_HAS_BFLOAT16_PAIRS
    return std::string(problem.shape.type == ScalarType::bfloat16 ? "" : "is for bfloat16 alone");
#else
    static_cast<void>(problem);
    return std::string(
        "needs a Kokkos for the host alone, built for a processor with AVX512-BF16 (-DKokkos_ARCH_NATIVE=ON)");
#endif
  };
  result.refuses_forward = refuses;
  result.refuses_backward = refuses;
#ifdef CAESURA_HAS_BFLOAT16_PAIRS
  if (!__builtin_cpu_is("intel")) result.priority = 20;
  result.forward = host_simd::forward_pairs<Space>;
  result.backward = host_simd::backward_pairs<Space>;
#endif
  return result;
}

template <class Space>
constexpr bool is_host_space = std::is_same_v<typename Space::memory_space, Kokkos::HostSpace>;

}  // namespace

template <ExecutionSpace Space>
std::vector<Kernel<Space>> families() {
  // Specialized families join this list, with what they refuse and a higher priority.
  std::vector<Kernel<Space>> result = {portable_family<Space>()};
  if constexpr (is_host_space<Space>) {
    result.push_back(host_simd_family<Space>());
    result.push_back(host_dot_family<Space>());
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const Kernel<Space>& a, const Kernel<Space>& b) { return a.priority > b.priority; });
  return result;
}

}  // namespace backends

namespace {

std::string refusal(const auto& kernel, const ForwardProblem& problem) { return kernel.refuses_forward(problem); }
std::string refusal(const auto& kernel, const BackwardProblem& problem) { return kernel.refuses_backward(problem); }

constexpr const char* function_of(const ForwardProblem&) { return "attention_forward"; }
constexpr const char* function_of(const BackwardProblem&) { return "attention_backward"; }

/// Who asks for a kernel by name, if anybody does.
struct Request {
  std::string_view name;
  std::string_view source;
};

Request request_of(std::string_view variant) {
  if (!variant.empty()) return {variant, "variant"};
  const char* forced = std::getenv("CAESURA_FORCE_KERNEL");
  return {forced ? forced : "", "CAESURA_FORCE_KERNEL"};
}

template <ExecutionSpace Space, class Problem>
const Kernel<Space>& select(const Problem& problem, std::string_view variant) {
  const Request request = request_of(variant);
  std::string reasons;
  bool is_known = request.name.empty();
  for (const Kernel<Space>& kernel : kernels<Space>()) {
    const bool is_wanted = request.name.empty() || request.name == kernel.name;
    is_known |= is_wanted;
    const std::string reason = refusal(kernel, problem);
    if (is_wanted && reason.empty()) return kernel;
    reasons += text(reasons.empty() ? "" : "; ", kernel.name, ": ", reason.empty() ? "could do it" : reason);
  }
  const auto asked = [&] { return text(function_of(problem), ": ", request.source, " = ", request.name); };
  if (!is_known) {
    std::string names;
    for (const Kernel<Space>& kernel : kernels<Space>()) names += text(names.empty() ? "" : ", ", kernel.name);
    throw Error(ErrorKind::invalid_argument,
                text(asked(), ": is not a kernel of this build for ", Space::name(), "; known are: ", names));
  }
  throw Error(ErrorKind::unsupported, request.name.empty()
                                          ? text(function_of(problem), ": no kernel does this problem: ", reasons)
                                          : text(asked(), ": cannot do this problem: ", reasons));
}

}  // namespace

template <ExecutionSpace Space>
std::span<const Kernel<Space>> kernels() {
  static const std::vector<Kernel<Space>> all = backends::families<Space>();
  return all;
}

template <ExecutionSpace Space>
const Kernel<Space>& select_kernel(const ForwardProblem& problem, std::string_view variant) {
  return select<Space>(problem, variant);
}

template <ExecutionSpace Space>
const Kernel<Space>& select_kernel(const BackwardProblem& problem, std::string_view variant) {
  return select<Space>(problem, variant);
}

#define CAESURA_INSTANTIATE(Space)                                                             \
  template std::vector<Kernel<Space>> backends::families<Space>();                             \
  template std::span<const Kernel<Space>> kernels<Space>();                                    \
  template const Kernel<Space>& select_kernel<Space>(const ForwardProblem&, std::string_view); \
  template const Kernel<Space>& select_kernel<Space>(const BackwardProblem&, std::string_view);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura
