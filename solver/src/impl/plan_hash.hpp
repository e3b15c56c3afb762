// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/mask.hpp>
#include <caesura/solver/cluster.hpp>
#include <caesura/solver/exchange.hpp>
#include <caesura/solver/options.hpp>
#include <caesura/solver/placement.hpp>

#include <cstdint>

namespace caesura::solver::impl {

/// Of everything that ranks must agree on; the same on every machine.
std::uint64_t plan_hash(const Mask& mask, const Cluster& cluster, const Options& options, const Placement& placement,
                        const Exchange& exchange);

}  // namespace caesura::solver::impl
