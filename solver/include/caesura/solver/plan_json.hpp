// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/solver/plan.hpp>

#include <string>
#include <string_view>

namespace caesura::solver {

inline constexpr int plan_json_version = 1;

/// The plan as one JSON object: `version`, `hash`, the inputs (`mask`, `cluster`, `options`), the placement, and for people and
/// scripts `ranks: [{rank, tokens, area, tile_cost, receive_rows, send_rows, memory_bytes, chunks}]`, `max_over_mean_area`,
/// `max_over_mean_tile_cost`, `max_over_mean_tokens`, `mean_receive_rows`, `max_receive_rows`, `max_send_rows`, `all_gather_rows`, `ring_rows`,
/// `predicted_step_ms`, `stages`. The exchange follows from the placement.
std::string to_json(const Plan& plan);

/// The same plan again.
/// \throws Error that names the key, its value and the rule; for another version; where the hash differs from what the file says.
///         \p source is what it calls the text.
Plan plan_from_json(std::string_view json, const std::string& source);

}  // namespace caesura::solver
