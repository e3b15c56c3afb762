// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/impl/lowered_storage.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace caesura::impl {

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
