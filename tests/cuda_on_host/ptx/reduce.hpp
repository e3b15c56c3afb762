// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

inline void reduce_add(float* to, float value) { *to += value; }  // blocks and fibers run one at a time

}  // namespace caesura::ptx
