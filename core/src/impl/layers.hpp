// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/impl/lowered_storage.hpp>
#include <caesura/impl/upload.hpp>

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

}  // namespace caesura::impl
