// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <ptx/bulk_copy.hpp>
#include <ptx/tensor_map.hpp>

namespace caesura::ptx {

// Copies of a tensor's box (PTX 9.7.9.25.5.2) that one thread starts; `x, y, ...` is the box's first entry, which may be
// outside. Shared memory begins at a multiple of 128, and of the swizzle's pattern.

/// `prefetch.tensormap`: copies by \p map begin sooner.
CAESURA_DEVICE void prefetch_tensor_map(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

/// `cp.async.bulk.tensor`, global to shared memory. \p barrier's phase gets the bytes of the whole box.
CAESURA_DEVICE void tensor_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int x, int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(
          to.value),
      "l"(&map), "r"(barrier.value), "r"(x), "r"(y)
      : "memory");
}
CAESURA_DEVICE void tensor_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int x, int y, int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::
          "r"(to.value),
      "l"(&map), "r"(barrier.value), "r"(x), "r"(y), "r"(z)
      : "memory");
}
CAESURA_DEVICE void tensor_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int x, int y, int z,
                                int w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], "
      "[%2];" ::"r"(to.value),
      "l"(&map), "r"(barrier.value), "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}

/// `cp.async.bulk.tensor`, shared to global memory, in this thread's bulk group.
CAESURA_DEVICE void tensor_store(const TensorMap& map, SharedAddress from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map),
               "r"(from.value), "r"(x), "r"(y)
               : "memory");
}
CAESURA_DEVICE void tensor_store(const TensorMap& map, SharedAddress from, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map),
               "r"(from.value), "r"(x), "r"(y), "r"(z)
               : "memory");
}
CAESURA_DEVICE void tensor_store(const TensorMap& map, SharedAddress from, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
               "r"(from.value), "r"(x), "r"(y), "r"(z), "r"(w)
               : "memory");
}

/// `cp.reduce.async.bulk.tensor.add`: adds to global memory, each entry atomically, in this thread's bulk group.
CAESURA_DEVICE void tensor_add(const TensorMap& map, SharedAddress from, int x, int y) {
  asm volatile("cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map),
               "r"(from.value), "r"(x), "r"(y)
               : "memory");
}
CAESURA_DEVICE void tensor_add(const TensorMap& map, SharedAddress from, int x, int y, int z) {
  asm volatile("cp.reduce.async.bulk.tensor.3d.global.shared::cta.add.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map),
               "r"(from.value), "r"(x), "r"(y), "r"(z)
               : "memory");
}
CAESURA_DEVICE void tensor_add(const TensorMap& map, SharedAddress from, int x, int y, int z, int w) {
  asm volatile(
      "cp.reduce.async.bulk.tensor.4d.global.shared::cta.add.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
      "r"(from.value), "r"(x), "r"(y), "r"(z), "r"(w)
      : "memory");
}

}  // namespace caesura::ptx
