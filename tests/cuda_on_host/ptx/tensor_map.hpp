// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/bulk_copies.hpp"
#include <caesura/scalar.hpp>

#include <ptx/swizzle.hpp>

#include <array>
#include <cstdint>
#include <type_traits>

namespace caesura::ptx {

struct TensorMap {
  cuda_on_host::TensorMap map;
  cuda_on_host::BulkCopies::Store add = cuda_on_host::BulkCopies::Store::add_float;
};

template <class Scalar, std::size_t Rank>
TensorMap make_tensor_map(const Scalar* data, const std::array<std::uint64_t, Rank>& extents,
                          const std::array<std::uint64_t, Rank - 1>& strides,
                          const std::array<std::uint32_t, Rank>& box, Swizzle swizzle) {
  static_assert(Rank >= 2 && Rank <= 4);
  static_assert(std::is_same_v<Scalar, half> || std::is_same_v<Scalar, bfloat16> || std::is_same_v<Scalar, float>);
  using Store = cuda_on_host::BulkCopies::Store;
  TensorMap result;
  result.add = std::is_same_v<Scalar, half> ? Store::add_half
                                            : (std::is_same_v<Scalar, float> ? Store::add_float : Store::add_bfloat16);
  cuda_on_host::TensorMap& map = result.map;
  map.data = reinterpret_cast<std::byte*>(const_cast<Scalar*>(data));
  map.rank = static_cast<int>(Rank);
  map.scalar_bytes = static_cast<int>(sizeof(Scalar));
  map.swizzle_bytes = bytes_of(swizzle);
  for (std::size_t i = 0; i < Rank; ++i) {
    map.extents[i] = static_cast<std::int64_t>(extents[i]);
    map.box[i] = box[i];
    if (i > 0) map.strides[i] = static_cast<std::int64_t>(strides[i - 1]);
  }
  cuda_on_host::check(map);
  return result;
}

}  // namespace caesura::ptx
