// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/layers.hpp"

#include <functional>
#include <queue>

namespace caesura::impl {

HostLayers deal_to_layers(std::span<const BandSlice> slices) {
  struct Busy {
    std::int64_t end;
    std::size_t layer;
    bool operator>(const Busy& other) const { return end > other.end; }
  };
  std::priority_queue<Busy, std::vector<Busy>, std::greater<>> busy;
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> free;
  std::vector<std::vector<BandSlice>> layers;
  for (const BandSlice& slice : slices) {
    for (; !busy.empty() && busy.top().end <= slice.q_begin; busy.pop()) free.push(busy.top().layer);
    if (free.empty()) {
      free.push(layers.size());
      layers.emplace_back();
    }
    const std::size_t layer = free.top();
    free.pop();
    layers[layer].push_back(slice);
    busy.push({slice.q_end, layer});
  }
  HostLayers result;
  result.slices.reserve(slices.size());
  result.layer_begin = {0};
  for (const auto& layer : layers) {
    result.slices.insert(result.slices.end(), layer.begin(), layer.end());
    result.layer_begin.push_back(static_cast<std::int64_t>(result.slices.size()));
  }
  return result;
}

}  // namespace caesura::impl
