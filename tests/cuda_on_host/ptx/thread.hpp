// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/block.hpp"

#define CAESURA_DEVICE inline

namespace caesura::ptx {

inline int thread_index() { return cuda_on_host::Block::current().thread(); }
inline int block_index() { return cuda_on_host::Block::current().index(); }
inline int lane_index() { return thread_index() % 32; }
inline int warp_index() { return thread_index() / 32; }

inline int opaque(int value) { return value; }

}  // namespace caesura::ptx
