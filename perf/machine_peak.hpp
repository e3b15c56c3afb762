// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/scalar.hpp>

namespace caesura::perf {

/// The fused multiply-adds a second, in GFLOP/s (2 FLOPs each), that this machine reaches without touching memory:
/// summed over the threads, each measured by itself. This is what "% of machine peak" divides by.
///
/// \param type     double measures double; float, half and bfloat16 measure float, the type of their sums
/// \param threads  of the host: 1 measures the calling thread alone, more run on the default host space and are cut
///                 at its concurrency; 0 takes the default execution space as it is, a device where there is one (its
///                 ordinary arithmetic units, not its matrix units)
/// \param seconds  0: what short runs reach while no other program disturbs them, over 25 ms, a property of the machine;
///                 more: the mean over this time, disturbances included, which something that runs in turns with it
///                 can be compared with
double measure_peak_gflops(ScalarType type, int threads = 0, double seconds = 0);

/// The same of the host's dot products of bfloat16 pairs with float sums (4 FLOPs a lane), as far as this build is
/// compiled for them; 0: it is not. What bfloat16 is compared with where this is not 0.
double measure_dot_peak_gflops(int threads = 0, double seconds = 0);

/// The same of the host's bfloat16 matrix tiles (AMX); 0: it has none. For reading the figures of what uses them:
/// `host_tile`, and peers.
double measure_tile_peak_gflops(int threads = 0);

}  // namespace caesura::perf
