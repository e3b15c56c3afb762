// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/register_counts.hpp"

#include <ptx/thread.hpp>

namespace caesura::ptx {

template <int Registers>
inline void shrink_registers() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  cuda_on_host::Block::current().hardware<cuda_on_host::RegisterCounts>().shrink(Registers);
}

template <int Registers>
inline void grow_registers() {
  static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
  cuda_on_host::Block::current().hardware<cuda_on_host::RegisterCounts>().grow(Registers);
}

}  // namespace caesura::ptx
