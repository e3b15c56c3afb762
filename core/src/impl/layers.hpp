// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/impl/lowered_storage.hpp>

#include <Kokkos_Core.hpp>

#include <span>
#include <vector>

namespace caesura::impl {

/// Slices dealt to as few layers as possible, so that those of one layer share no query.
struct HostLayers {
  std::vector<BandSlice> slices;          // by layer, then by first query
  std::vector<std::int64_t> layer_begin;  // (layers + 1)

  std::int32_t layers() const { return static_cast<std::int32_t>(layer_begin.size()) - 1; }
};

/// \p slices are sorted by first query. Interval coloring: a slice takes the lowest layer that is free. O(n log n).
HostLayers deal_to_layers(std::span<const BandSlice> slices);

/// Copies to where \p Space can read: at once into host memory, asynchronously into a device's.
template <class Value, class Space>
Kokkos::View<Value*, typename Space::memory_space> upload(const Space& space, const std::vector<Value>& values,
                                                          const char* label) {
  const auto view = allocate<Value>(space, static_cast<std::int64_t>(values.size()), label);
  if constexpr (Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible) {
    std::copy(values.begin(), values.end(), view.data());
  } else {
    Kokkos::deep_copy(space, view,
                      Kokkos::View<const Value*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(
                          values.data(), values.size()));
  }
  return view;
}

}  // namespace caesura::impl
