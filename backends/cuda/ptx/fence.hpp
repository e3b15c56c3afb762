// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/thread.hpp>

namespace caesura::ptx {

/// `fence.proxy.async.shared::cta` (PTX 9.7.13.4): what this thread wrote to shared memory is there for bulk copies and
/// wgmma, which read by another way. Each writer does it, before the barrier that tells of the bytes.
CAESURA_DEVICE void fence_async_proxy() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// `fence.mbarrier_init`: this thread's `mbarrier_init`s come before what others and bulk copies do behind a barrier.
CAESURA_DEVICE void fence_mbarrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

}  // namespace caesura::ptx
