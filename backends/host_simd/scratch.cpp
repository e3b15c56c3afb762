// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/host_simd/scratch.hpp"

#include <caesura/error.hpp>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace caesura::host_simd {

Scratch& Scratch::of_this_thread() {
  thread_local Scratch scratch;
  return scratch;
}

std::byte* Scratch::reserve(std::int64_t bytes) {
  if (bytes_ < bytes) {
    memory_.reset();
    bytes_ = 0;
    try {
      memory_.reset(static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), alignment)));
    } catch (const std::bad_alloc&) {
      throw Error(ErrorKind::resources,
                  text("host_simd: packed tensors: ", bytes,
                       " bytes could not be allocated: a smaller pack_bytes packs fewer heads at a time"));
    }
    bytes_ = bytes;
#if defined(MADV_HUGEPAGE)
    ::madvise(memory_.get(), static_cast<std::size_t>(bytes), MADV_HUGEPAGE);  // a wish: no error matters
#endif
  }
  return memory_.get();
}

}  // namespace caesura::host_simd
