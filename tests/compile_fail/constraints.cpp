// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

// Compiles as it is; with CAESURA_CASE set, one thing is wrong, and the compiler must say what.

#include <caesura/caesura.hpp>

#ifndef CAESURA_CASE
#define CAESURA_CASE 0
#endif

namespace {

using Space = Kokkos::DefaultExecutionSpace;

struct OtherSpace {};

#if CAESURA_CASE == 1
using Argument = Kokkos::View<float*****, Space>;
#elif CAESURA_CASE == 2
using Argument = Kokkos::View<unsigned***, Kokkos::LayoutRight, Space>;
#else
using Argument = Kokkos::View<float***, Kokkos::LayoutRight, Space>;
#endif

#if CAESURA_CASE == 3
using PlanSpace = OtherSpace;
#else
using PlanSpace = Space;
#endif

#if CAESURA_CASE == 4
using Scalar = int;
#else
using Scalar = float;
#endif

#if CAESURA_CASE == 5
using Batch = Kokkos::View<float***, Kokkos::LayoutRight, Space>;
#else
using Batch = Kokkos::View<float****, Kokkos::LayoutRight, Space>;
#endif

}  // namespace

caesura::ViewRef argument(const Argument& view) { return view; }

std::int64_t total(const caesura::AttentionPlan<PlanSpace>& plan) { return plan.total_q(); }

caesura::accumulator_t<Scalar> accumulator() { return 0; }

caesura::ViewRef batch(const Batch& view) { return caesura::from_sbhd(view); }
