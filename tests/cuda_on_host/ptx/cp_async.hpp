// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/copies.hpp"

#include <ptx/shared.hpp>

namespace caesura::ptx {

inline void copy_async(SharedAddress to, const void* from, bool exists) {
  cuda_on_host::Block::current().hardware<cuda_on_host::Copies>().begin(to.value, from, exists);
}

inline void commit_copies() { cuda_on_host::Block::current().hardware<cuda_on_host::Copies>().commit(); }

template <int Pending>
inline void wait_for_copies() {
  cuda_on_host::Block::current().hardware<cuda_on_host::Copies>().wait(Pending);
}

}  // namespace caesura::ptx
