// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_Core.hpp>

namespace caesura::comm::impl {

/// A Kokkos Tools region. Kokkos' own ScopedRegion makes a string also if nobody listens, which here would be the one
/// allocation of a call.
class Region {
 public:
  explicit Region(const char* name) : listened_to_(Kokkos::Tools::profileLibraryLoaded()) {
    if (listened_to_) Kokkos::Profiling::pushRegion(name);
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() {
    if (listened_to_) Kokkos::Profiling::popRegion();
  }

 private:
  bool listened_to_;
};

}  // namespace caesura::comm::impl
