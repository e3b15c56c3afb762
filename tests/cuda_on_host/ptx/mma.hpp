// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/product.hpp"
#include <caesura/scalar.hpp>

#include <ptx/thread.hpp>

#include <cstdint>
#include <type_traits>

namespace caesura::ptx {

template <class Scalar>
inline void mma_m16n8k16(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  struct In {
    float d[4];
    std::uint32_t a[4], b[2];
  };
  struct Out {
    float d[4];
  };
  const auto value = [](std::uint32_t word, int i) -> float {
    return Scalar::from_bits(static_cast<std::uint16_t>(word >> (16 * (i % 2))));
  };
  const In mine = {{d[0], d[1], d[2], d[3]}, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  const char* const what = std::is_same_v<Scalar, half> ? "mma.m16n8k16.f16" : "mma.m16n8k16.bf16";
  const Out result = cuda_on_host::Block::current().collective<Out>(what, mine, [&](const In* in, Out* out) {
    float left[16][16], right[16][8];
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4;
      for (int i = 0; i < 2; ++i) {
        left[g][2 * t + i] = value(in[lane].a[0], i);
        left[g + 8][2 * t + i] = value(in[lane].a[1], i);
        left[g][2 * t + 8 + i] = value(in[lane].a[2], i);
        left[g + 8][2 * t + 8 + i] = value(in[lane].a[3], i);
        right[2 * t + i][g] = value(in[lane].b[0], i);
        right[2 * t + 8 + i][g] = value(in[lane].b[1], i);
      }
    }
    float sum[16][8] = {};
    cuda_on_host::add_product(sum[0], left[0], right[0], 16, 8, 16);
    for (int lane = 0; lane < 32; ++lane) {
      const int g = lane / 4, t = lane % 4;
      for (int i = 0; i < 4; ++i) out[lane].d[i] = in[lane].d[i] + sum[g + 8 * (i / 2)][2 * t + i % 2];
    }
  });
  for (int i = 0; i < 4; ++i) d[i] = result.d[i];
}

}  // namespace caesura::ptx
