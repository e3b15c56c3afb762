// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/registry.hpp"

#include "backends/cuda/cuda.hpp"
#include "backends/host_simd/host_simd.hpp"
#include "backends/host_tile/host_tile.hpp"
#include "backends/host_tile/support.hpp"
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

constexpr auto refuses_nothing = [](const auto&) { return std::string_view(); };

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
    return std::string_view(
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
    return std::string_view(problem.shape.type == ScalarType::bfloat16 ? "" : "is for bfloat16 alone");
#else
    static_cast<void>(problem);
    return std::string_view(
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

/// A family of its own because it needs more than the build knows: the processor and the system are asked.
template <class Space>
Kernel<Space> host_tile_family() {
  Kernel<Space> result = {.name = "host_tile",
                          .description = "bfloat16 by the processor's matrix tiles (AMX), weights rounded to bfloat16",
                          .priority = 30,
                          .rounds_weights = true};
  constexpr auto refuses = [](const auto& problem) {
#ifdef CAESURA_HAS_BFLOAT16_TILES
    if (problem.shape.type != ScalarType::bfloat16) return std::string_view("is for bfloat16 alone");
    return std::string_view(host_tile::missing_tiles());
#else
    static_cast<void>(problem);
    return std::string_view(
        "needs a Kokkos for the host alone, built for a processor with AVX512-BF16 (-DKokkos_ARCH_NATIVE=ON), and a "
        "compiler with AMX");
#endif
  };
  result.refuses_forward = refuses;
  result.refuses_backward = refuses;
#ifdef CAESURA_HAS_BFLOAT16_TILES
  result.forward = host_tile::forward<Space>;
  result.backward = host_tile::backward<Space>;
#endif
  return result;
}

/// The same for the types that tensor cores multiply.
template <class Body>
void with_tensor_scalar(ScalarType type, const Body& body) {
  return type == ScalarType::float16 ? body(half{}) : body(bfloat16{});
}

/// Whether kernels written for CUDA run in the space: on GPUs, or, in tests, on the emulator.
template <class Space>
constexpr bool runs_cuda =
#if defined(CAESURA_CUDA_ON_HOST)
    true;
#elif defined(KOKKOS_ENABLE_CUDA)
    std::is_same_v<Space, Kokkos::Cuda>;
#else
    false;
#endif

/// Listed everywhere: who asks for it learns what it needs.
template <class Space>
Kernel<Space> cuda_sm80_family() {
  Kernel<Space> result = {
      .name = "cuda_sm80",
      .description = "NVIDIA's tensor cores by mma.sync (sm_80 and later), half and bfloat16, weights rounded to them",
      .priority = 20,
      .rounds_weights = true};
  constexpr auto refuses = [](const auto& problem) {
    if constexpr (runs_cuda<Space>) {
      return cuda::sm80::refusal(problem.shape);
    } else {
      static_cast<void>(problem);
      return std::string_view(
#ifdef KOKKOS_ENABLE_CUDA
          "runs in Kokkos::Cuda"
#else
          "needs a Kokkos with CUDA: scripts/get_kokkos --backend cuda, then cmake --preset cuda"
#endif
      );
    }
  };
  result.refuses_forward = refuses;
  result.refuses_backward = refuses;
  if constexpr (runs_cuda<Space>) {
    result.forward = [](const Space& space, const ForwardProblem& problem) {
      with_tensor_scalar(problem.shape.type,
                         [&](auto type) { cuda::sm80::forward<Space, decltype(type)>(space, problem); });
    };
    result.backward = [](const Space& space, const BackwardProblem& problem) {
      with_tensor_scalar(problem.shape.type,
                         [&](auto type) { cuda::sm80::backward<Space, decltype(type)>(space, problem); });
    };
  }
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
    result.push_back(host_tile_family<Space>());
  }
  result.push_back(cuda_sm80_family<Space>());
  std::stable_sort(result.begin(), result.end(),
                   [](const Kernel<Space>& a, const Kernel<Space>& b) { return a.priority > b.priority; });
  return result;
}

}  // namespace backends

namespace {

std::string_view refusal(const auto& kernel, const ForwardProblem& problem) { return kernel.refuses_forward(problem); }
std::string_view refusal(const auto& kernel, const BackwardProblem& problem) {
  return kernel.refuses_backward(problem);
}

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
  const auto is_wanted = [&](const Kernel<Space>& kernel) {
    return request.name.empty() || request.name == kernel.name;
  };
  for (const Kernel<Space>& kernel : kernels<Space>()) {
    if (is_wanted(kernel) && refusal(kernel, problem).empty()) return kernel;
  }
  std::string reasons;
  bool is_known = false;
  for (const Kernel<Space>& kernel : kernels<Space>()) {
    const std::string_view reason = refusal(kernel, problem);
    is_known |= is_wanted(kernel);
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
