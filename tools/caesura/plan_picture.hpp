// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "mask_input.hpp"
#include <caesura/solver/plan.hpp>
#include <caesura/solver/simulate.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace caesura::tools {

/// All ranks if there are at most \p most, else those that end last; by number.
std::vector<std::int32_t> slowest_ranks(const solver::Timeline& timeline, std::size_t most);

/// A plan as one SVG: the mask colored by the rank that computes it, bars of work and traffic, and the predicted time
/// line; below it the measured one, where there is one.
std::string plan_picture(const MaskInput& input, const solver::Plan& plan, const solver::Timeline& timeline,
                         const solver::Timeline* measured = nullptr);

}  // namespace caesura::tools
