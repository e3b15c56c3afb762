// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

template <class Value>
inline Value shuffle(Value value, int from) {
  struct Lane {
    Value value;
    int from;
  };
  return cuda_on_host::Block::current().collective<Value>("shfl.sync", Lane{value, from},
                                                          [](const Lane* in, Value* out) {
                                                            for (int i = 0; i < 32; ++i)
                                                              out[i] = in[in[i].from % 32].value;
                                                          });
}

template <class Value>
inline Value shuffle_xor(Value value, int mask) {
  return shuffle(value, lane_index() ^ mask);
}

inline bool any(bool value) {
  return cuda_on_host::Block::current().collective<bool>("vote.any", value, [](const bool* in, bool* out) {
    bool result = false;
    for (int i = 0; i < 32; ++i) result |= in[i];
    for (int i = 0; i < 32; ++i) out[i] = result;
  });
}

/// Which lane it is, differs from block to block: PTX does not say.
inline bool elect_one() {
  cuda_on_host::Block& block = cuda_on_host::Block::current();
  block.collective<char>("elect.sync", char{}, [](const char*, char*) {});
  return lane_index() == block.elected_lane();
}

}  // namespace caesura::ptx
