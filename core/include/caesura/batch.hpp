// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/packed_offsets.hpp>
#include <caesura/view_ref.hpp>

#include <Kokkos_Core.hpp>

namespace caesura {

/// Offsets of the batched form: \p cu_seqlens `(batch, max_docs + 1)` on the device, each row
/// `0, boundaries, seq, seq...`; repeated ends are empty documents, so shapes do not depend on the documents.
/// The plan covers `batch * seq` rows: pass tensors as `(batch, seq, heads, dim)`.
inline PackedOffsets batch_offsets(const ViewRef& cu_seqlens, std::int64_t seq) {
  return {.cu_seqlens_q = cu_seqlens, .total_q = seq};
}

/// A `(seq, batch, heads, dim)` View (`sbhd`) seen as `(batch, seq, heads, dim)`, without a copy.
template <ArgumentView View>
  requires(View::rank() == 4)
auto from_sbhd(const View& view) {
  using Strided = Kokkos::View<typename View::value_type****, Kokkos::LayoutStride, typename View::device_type,
                               Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  return Strided(view.data(), Kokkos::LayoutStride(view.extent(1), view.stride(1), view.extent(0), view.stride(0),
                                                   view.extent(2), view.stride(2), view.extent(3), view.stride(3)));
}

}  // namespace caesura
