// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <Kokkos_SIMD.hpp>

namespace caesura {

namespace impl {
template <class Real, int width>
struct VectorOf {
  using Type = Kokkos::Experimental::simd<Real, width>;
};
template <class Real>
struct VectorOf<Real, 1> {
  using Type = Kokkos::Experimental::basic_simd<Real, Kokkos::Experimental::simd_abi::scalar>;
};
}  // namespace impl

/// The widest vector of the host (Kokkos' default is not the widest for float), or one scalar where Kokkos has none.
template <class Real>
struct HostVector {
  static constexpr int native_bytes = static_cast<int>(Kokkos::Experimental::simd<double>::size() * sizeof(double));
  static constexpr bool has_vectors = native_bytes > static_cast<int>(sizeof(double));
  static constexpr int width = has_vectors ? native_bytes / static_cast<int>(sizeof(Real)) : 1;
  static constexpr bool is_wide = native_bytes >= 64;
  using Type = typename impl::VectorOf<Real, width>::Type;
};

}  // namespace caesura
