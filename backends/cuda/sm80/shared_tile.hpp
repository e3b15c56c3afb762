// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "backends/cuda/tensor.hpp"

#include <ptx/cp_async.hpp>
#include <ptx/math.hpp>
#include <ptx/shared.hpp>

#include <cstdint>
#include <type_traits>

namespace caesura::cuda::sm80 {

/// `Rows` rows of `Dim` 16-bit values in shared memory. Chunks of 16 bytes change places within a row so that the same
/// chunk of 8 rows in sequence lies in 8 different groups of banks: `ldmatrix` reads without conflicts.
template <int Rows, int Dim>
struct SharedTile {
  static constexpr int chunks = Dim / 8;
  static constexpr std::int32_t bytes = Rows * Dim * 2;

  ptx::SharedAddress begin;

  CAESURA_DEVICE ptx::SharedAddress chunk(int row, int c) const {
    constexpr int moves = chunks % 8 == 0 ? 8 : chunks % 4 == 0 ? 4 : 2;  // chunks that change places
    const int moved = c ^ (row / (8 / moves) % moves);
    return begin + static_cast<std::uint32_t>((row * chunks + moved) * 16);
  }

  /// Brings rows [first, first + count) of a head here, by all threads of the block; what lies behind the last row or behind
  /// dim becomes 0. Asynchronous where alignment allows: the caller commits and waits.
  template <int Threads>
  CAESURA_DEVICE void load(const Tensor& tensor, std::int64_t first, int count, int head) const {
    const auto* data = static_cast<const std::uint16_t*>(tensor.ref.data);
    for_own_chunks<Threads>([&](int row, int c) {
      const bool exists = row < count && c * 8 < tensor.dim;
      const std::int64_t offset = exists ? tensor.ref.offset(first + row, head) + c * 8 : 0;
      if (tensor.is_aligned) {
        ptx::copy_async(chunk(row, c), data + offset, exists);
      } else {
        ptx::store_shared(chunk(row, c), gather(data + offset, exists ? tensor.dim - c * 8 : 0));
      }
    });
  }

  /// The same from a tensor that may be of floats, which are rounded.
  template <class Scalar, int Threads>
  CAESURA_DEVICE void load_rounded(const Tensor& tensor, std::int64_t first, int count, int head) const {
    if (tensor.ref.type != ScalarType::float32) {
      load<Threads>(tensor, first, count, head);
      return;
    }
    for_own_chunks<Threads>([&](int row, int c) {
      const bool exists = row < count;
      const auto* data =
          static_cast<const float*>(tensor.ref.data) + (exists ? tensor.ref.offset(first + row, head) : 0);
      ptx::Vector4 rounded;
      for (int i = 0; i < 4; ++i) {
        const auto value = [&](int column) { return exists && column < tensor.dim ? data[column] : 0.0f; };
        rounded.word[i] = ptx::pack<Scalar>(value(8 * c + 2 * i), value(8 * c + 2 * i + 1));
      }
      ptx::store_shared(chunk(row, c), rounded);
    });
  }

  /// Whether one of the values that this thread loaded is infinite or NaN. Its copies must have arrived.
  template <class Scalar, int Threads>
  CAESURA_DEVICE bool has_non_finite() const {
    bool result = false;
    for_own_chunks<Threads>([&](int row, int c) {
      const auto words = ptx::load_shared<ptx::Vector4>(chunk(row, c));
      for (const std::uint32_t word : words.word) result |= is_non_finite<Scalar>(word);
    });
    return result;
  }

  /// The neighbors at (row, column) and (row, column + 1), column even.
  template <class Scalar>
  CAESURA_DEVICE void pair(int row, int column, float (&values)[2]) const {
    const auto word =
        ptx::load_shared<std::uint32_t>(chunk(row, column / 8) + static_cast<std::uint32_t>(column % 8 * 2));
    values[0] = Scalar::from_bits(static_cast<std::uint16_t>(word));
    values[1] = Scalar::from_bits(static_cast<std::uint16_t>(word >> 16));
  }

 private:
  template <int Threads, class Body>
  CAESURA_DEVICE static void for_own_chunks(const Body& body) {
    for (int i = ptx::opaque(ptx::thread_index()); i < Rows * chunks; i += Threads) body(i / chunks, i % chunks);
  }

  CAESURA_DEVICE static ptx::Vector4 gather(const std::uint16_t* data, int count) {
    ptx::Vector4 result;
    for (int i = 0; i < 4; ++i) {
      const std::uint32_t low = 2 * i < count ? data[2 * i] : 0u;
      const std::uint32_t high = 2 * i + 1 < count ? data[2 * i + 1] : 0u;
      result.word[i] = low | high << 16;
    }
    return result;
  }

  template <class Scalar>
  CAESURA_DEVICE static bool is_non_finite(std::uint32_t word) {
    constexpr std::uint32_t exponent = std::is_same_v<Scalar, half> ? 0x7c00u : 0x7f80u;
    return (word & exponent) == exponent || ((word >> 16) & exponent) == exponent;
  }
};

}  // namespace caesura::cuda::sm80
