// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "exchange/port_load.hpp"

namespace caesura::solver::impl {

void add_traffic(std::span<const Transfer> hop, const Nodes& nodes, const LayerShape& layer,
                 std::vector<PortLoad>& loads) {
  for (const Transfer& transfer : hop) {
    const std::int64_t bytes = transfer.rows * row_bytes(transfer.payload, layer);
    const std::size_t across = nodes.across(transfer.source, transfer.target) ? 1 : 0;
    PortLoad& source = loads[static_cast<std::size_t>(transfer.source)];
    PortLoad& target = loads[static_cast<std::size_t>(transfer.target)];
    source.out_bytes[across] += bytes;
    source.out_messages[across] += 1;
    target.in_bytes[across] += bytes;
    target.in_messages[across] += 1;
  }
}

}  // namespace caesura::solver::impl
