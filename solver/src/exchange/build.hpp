// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "exchange/demand.hpp"
#include <caesura/mask.hpp>
#include <caesura/solver/exchange.hpp>

#include <functional>
#include <span>
#include <vector>

namespace caesura::solver::impl {

/// \throws Error in the name of \p function.
void require_same_totals(const char* function, const Mask& mask, const Placement& placement);
/// The same, and unless the cluster and the options are valid and have the placement's ranks.
void require_fitting(const char* function, const Mask& mask, const Placement& placement, const Cluster& cluster,
                     const Options& options);

/// `make_exchange` for inputs that fit. \p work: of each rank's own queries, in pairs.
Exchange build_exchange(const Demand& demand, std::span<const double> work, const Placement& placement,
                        const Cluster& cluster, const Options& options);

/// What each rank computes in all steps together if \p transfers move some queries: its own queries on its own and the
/// received keys, and the queries of others on its own keys.
std::vector<std::vector<BandSlice>> computed_slices(
    const Demand& demand, std::span<const Transfer> transfers,
    const std::function<std::span<const Range>(const Transfer&)>& ranges_of);

}  // namespace caesura::solver::impl
