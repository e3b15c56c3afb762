// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/wgmma.hpp"
#include <caesura/scalar.hpp>

#include <ptx/matrix_descriptor.hpp>

#include <cstdint>
#include <type_traits>

namespace caesura::ptx {

inline cuda_on_host::TensorCores& tensor_cores() {
  return cuda_on_host::Block::current().hardware<cuda_on_host::TensorCores>();
}

template <class... Registers>
inline void wgmma_fence(Registers&... registers) {
  tensor_cores().fence();
  (tensor_cores().add_fenced(&registers, sizeof registers), ...);
}

inline void wgmma_commit() { tensor_cores().commit(); }

template <int Pending, class... Accumulators>
inline void wgmma_wait(Accumulators&... accumulators) {
  tensor_cores().wait(Pending);
  (tensor_cores().add_ready(&accumulators, sizeof accumulators), ...);
  tensor_cores().end_wait();
}

template <class Scalar, int N>
inline cuda_on_host::TensorCores::Product wgmma_product(MatrixDescriptor b, Major major_b, bool accumulate) {
  static_assert(std::is_same_v<Scalar, half> || std::is_same_v<Scalar, bfloat16>);
  static_assert(N == 64 || N == 80 || N == 96 || N == 112 || N == 128 || N == 160 || N == 176 || N == 192 || N == 256);
  using Kind = cuda_on_host::TensorCores::Scalar;
  cuda_on_host::TensorCores::Product product;
  product.scalar = std::is_same_v<Scalar, half> ? Kind::half : Kind::bfloat16;
  product.columns = N;
  product.accumulates = accumulate;
  product.b = {b.bits, major_b == Major::mn};
  return product;
}

template <class Scalar, int N, Major MajorA, Major MajorB>
inline void wgmma(float (&d)[N / 2], MatrixDescriptor a, MatrixDescriptor b, bool accumulate) {
  auto product = wgmma_product<Scalar, N>(b, MajorB, accumulate);
  product.a = {a.bits, MajorA == Major::mn};
  tensor_cores().multiply(product, d, nullptr);
}

template <class Scalar, int N, Major MajorB>
inline void wgmma(float (&d)[N / 2], const std::uint32_t (&a)[4], MatrixDescriptor b, bool accumulate) {
  auto product = wgmma_product<Scalar, N>(b, MajorB, accumulate);
  product.has_registers = true;
  tensor_cores().multiply(product, d, a);
}

}  // namespace caesura::ptx
