// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "../emulator/fault.hpp"

#include <ptx/bulk_copy.hpp>
#include <ptx/tensor_map.hpp>

namespace caesura::ptx {

inline void prefetch_tensor_map(const TensorMap&) {}

/// \throws Fault if \p map has not as many dimensions as the copy.
template <class... Index>
inline cuda_on_host::BulkCopies::Coordinates coordinates(const TensorMap& map, Index... index) {
  if (map.map.rank != int{sizeof...(index)}) throw cuda_on_host::Fault("a tensor copy of another rank than its map's");
  return {index...};
}

inline void tensor_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int x, int y) {
  bulk_copies().load(to.value, map.map, coordinates(map, x, y), barrier.value);
}
inline void tensor_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int x, int y, int z) {
  bulk_copies().load(to.value, map.map, coordinates(map, x, y, z), barrier.value);
}
inline void tensor_load(SharedAddress to, const TensorMap& map, SharedAddress barrier, int x, int y, int z, int w) {
  bulk_copies().load(to.value, map.map, coordinates(map, x, y, z, w), barrier.value);
}

inline void tensor_store(const TensorMap& map, SharedAddress from, int x, int y) {
  bulk_copies().store(map.map, coordinates(map, x, y), from.value, cuda_on_host::BulkCopies::Store::copy);
}
inline void tensor_store(const TensorMap& map, SharedAddress from, int x, int y, int z) {
  bulk_copies().store(map.map, coordinates(map, x, y, z), from.value, cuda_on_host::BulkCopies::Store::copy);
}
inline void tensor_store(const TensorMap& map, SharedAddress from, int x, int y, int z, int w) {
  bulk_copies().store(map.map, coordinates(map, x, y, z, w), from.value, cuda_on_host::BulkCopies::Store::copy);
}

inline void tensor_add(const TensorMap& map, SharedAddress from, int x, int y) {
  bulk_copies().store(map.map, coordinates(map, x, y), from.value, map.add);
}
inline void tensor_add(const TensorMap& map, SharedAddress from, int x, int y, int z) {
  bulk_copies().store(map.map, coordinates(map, x, y, z), from.value, map.add);
}
inline void tensor_add(const TensorMap& map, SharedAddress from, int x, int y, int z, int w) {
  bulk_copies().store(map.map, coordinates(map, x, y, z, w), from.value, map.add);
}

}  // namespace caesura::ptx
