// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

#include <cuda.h>
#include <ptx/launch.hpp>
#include <ptx/swizzle.hpp>

#include <array>
#include <cstdint>
#include <type_traits>

namespace caesura::ptx {

/// A tensor in global memory as the copy engine sees it, and the box of it that one copy moves (PTX 5.5.9). A kernel has it
/// as a member, so that it lies in the kernel's parameters.
struct TensorMap {
  CUtensorMap map;
};

namespace impl {

/// `cuTensorMapEncodeTiled`, found through the runtime: nothing is linked with the driver's library.
inline auto encode_tiled() {
  static const auto function = [] {
    void* address = nullptr;
    cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &address, 12000, cudaEnableDefault, &found),
          "cudaGetDriverEntryPointByVersion");
    require(
        found == cudaDriverEntryPointSuccess,
        [] { return "make_tensor_map: the driver has no cuTensorMapEncodeTiled"; }, ErrorKind::unsupported);
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(address);
  }();
  return function;
}

}  // namespace impl

/// Describes the tensor at \p data, a multiple of 16: dimension 0 is contiguous, dimension i + 1 has \p strides[i] bytes, a
/// multiple of 16. A copy moves a box of \p box entries, each at most 256, in shared memory without gaps; what is outside of
/// \p extents is read as zeros and not written. The box's dimension 0 has as many bytes as the swizzle.
/// \throws Error if the driver refuses.
template <class Scalar, std::size_t Rank>
TensorMap make_tensor_map(const Scalar* data, const std::array<std::uint64_t, Rank>& extents,
                          const std::array<std::uint64_t, Rank - 1>& strides,
                          const std::array<std::uint32_t, Rank>& box, Swizzle swizzle) {
  static_assert(Rank >= 2 && Rank <= 4);
  constexpr CUtensorMapDataType type = std::is_same_v<Scalar, half>       ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                       : std::is_same_v<Scalar, bfloat16> ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                                          : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  static_assert(std::is_same_v<Scalar, half> || std::is_same_v<Scalar, bfloat16> || std::is_same_v<Scalar, float>);
  constexpr std::array<CUtensorMapSwizzle, 4> swizzles = {CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_32B,
                                                          CU_TENSOR_MAP_SWIZZLE_64B, CU_TENSOR_MAP_SWIZZLE_128B};
  std::array<std::uint32_t, Rank> steps;
  steps.fill(1);
  TensorMap result;
  const CUresult code =
      impl::encode_tiled()(&result.map, type, Rank, const_cast<Scalar*>(data), extents.data(), strides.data(),
                           box.data(), steps.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, swizzles[static_cast<int>(swizzle)],
                           CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  require(
      code == CUDA_SUCCESS, [&] { return text("make_tensor_map: cuTensorMapEncodeTiled: error ", int(code)); },
      ErrorKind::resources);
  return result;
}

}  // namespace caesura::ptx
