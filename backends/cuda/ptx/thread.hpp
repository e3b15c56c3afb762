// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

// Who a thread is. Kernels include these files as <ptx/...>: here for devices, tests/cuda_on_host/ptx has the same names
// for the emulator. Section numbers are those of NVIDIA's PTX ISA 9.0.

#define CAESURA_DEVICE __device__ __forceinline__

namespace caesura::ptx {

CAESURA_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
CAESURA_DEVICE int block_index() { return static_cast<int>(blockIdx.x); }
CAESURA_DEVICE int lane_index() { return static_cast<int>(threadIdx.x % 32); }
CAESURA_DEVICE int warp_index() { return static_cast<int>(threadIdx.x / 32); }

/// The same value, which the compiler takes for an unknown one: what follows from it is computed where it is needed and
/// not kept in registers across a loop.
CAESURA_DEVICE int opaque(int value) {
  asm volatile("" : "+r"(value));
  return value;
}

}  // namespace caesura::ptx
