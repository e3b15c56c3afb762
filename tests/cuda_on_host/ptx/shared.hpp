// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

#include <cstdint>

namespace caesura::ptx {

struct SharedAddress {
  std::uint32_t value = 0;

  friend SharedAddress operator+(SharedAddress address, std::uint32_t bytes) { return {address.value + bytes}; }
};

struct alignas(16) Vector4 {
  std::uint32_t word[4];
};

inline SharedAddress shared_memory() { return {cuda_on_host::SharedMemory::base}; }

template <class Value>
inline Value load_shared(SharedAddress from) {
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  Value value;
  block.shared().read(block.thread(), from.value, &value, sizeof(Value), "ld.shared");
  return value;
}

template <class Value>
inline void store_shared(SharedAddress to, const Value& value) {
  static_assert(sizeof(Value) >= 4, "store_shared: the emulator remembers each four bytes");
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  block.shared().write(block.thread(), to.value, &value, sizeof(Value), "st.shared");
}

}  // namespace caesura::ptx
