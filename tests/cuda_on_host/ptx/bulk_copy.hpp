// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/bulk_copies.hpp"

#include <ptx/shared.hpp>

namespace caesura::ptx {

inline cuda_on_host::BulkCopies& bulk_copies() {
  return cuda_on_host::Block::current().hardware<cuda_on_host::BulkCopies>();
}

inline void bulk_load(SharedAddress to, const void* from, int bytes, SharedAddress barrier) {
  bulk_copies().load(to.value, from, bytes, barrier.value);
}
inline void bulk_store(void* to, SharedAddress from, int bytes) {
  bulk_copies().store(to, from.value, bytes, cuda_on_host::BulkCopies::Store::copy);
}
inline void bulk_add(float* to, SharedAddress from, int bytes) {
  bulk_copies().store(to, from.value, bytes, cuda_on_host::BulkCopies::Store::add_float);
}
inline void commit_bulk() { bulk_copies().commit(); }

// A store has read when it has written: what can be seen in between, only the hardware knows.
template <int Pending>
inline void wait_for_bulk_reads() {
  bulk_copies().wait(Pending);
}
template <int Pending>
inline void wait_for_bulk() {
  bulk_copies().wait(Pending);
}

}  // namespace caesura::ptx
