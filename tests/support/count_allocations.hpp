// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <cstddef>
#include <cstdint>

namespace caesura::testing {

/// Whose allocations to count. Not both at once: where a tool listens, Kokkos makes strings for it.
enum class Allocations : std::uint8_t {
  operator_new,  ///< of this whole program, Kokkos' own included
  views          ///< of Kokkos, which do not go through operator new
};

/// Counts from here on, in all threads. Only for programs that compile count_allocations.cpp: it replaces operator new.
/// \param smallest   bytes; what asks for less is not counted (views: all are)
void start_counting(Allocations which, std::size_t smallest = 0);

/// Ends it; how many there were.
int stop_counting();

}  // namespace caesura::testing
